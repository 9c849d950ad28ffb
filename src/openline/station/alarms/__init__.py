"""Alarms that leave the building: what raises one, who is called when, and over which paths; and who watches the station itself.

    causes     what of a station raises an alarm
    book       the alarms: open, acknowledged, over; whose turn it is now. Durable through a Shelf
    roster     who has which duty at a moment
    paths      one queue and one worker for each path out; webhook and post are what stands behind them
    duty       all of it, at work in a station
    heartbeat, deadman, hearing
               a second process, best on another machine, that raises the same alarms when the station says nothing

An alarm is names and times. Nothing that anybody said on a line ever comes into this folder.
"""
