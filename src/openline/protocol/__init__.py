"""Pure behaviour: state machines and folds over the trusted kernel.

Time comes in as `now`, deadlines go out as WakeAt; entropy is a parameter.
Nothing here sends, stores or reads a clock.
"""
