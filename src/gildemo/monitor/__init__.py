"""GilMonitor: who holds the GIL, who waits for it, and for how long."""

from gildemo.monitor.gil_monitor import LONGEST_INTERVAL, SHORTEST_INTERVAL, GilMonitor
from gildemo.monitor.profile import Frame, Node, Profile, Site
from gildemo.monitor.record import STATES, GilRecord, LongHold, Share, ThreadRecord

__all__ = [
    "LONGEST_INTERVAL",
    "SHORTEST_INTERVAL",
    "STATES",
    "Frame",
    "GilMonitor",
    "GilRecord",
    "LongHold",
    "Node",
    "Profile",
    "Share",
    "Site",
    "ThreadRecord",
]
