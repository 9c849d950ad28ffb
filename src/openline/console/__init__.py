"""The console: what officers see and do in a browser, served over HTTPS by the station itself.

A station without a table [console] loads none of this.
"""
