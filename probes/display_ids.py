"""Windows' display adapters, by the names that it gives to devices: no driver is loaded, and nothing is started.

https://learn.microsoft.com/windows/win32/api/cfgmgr32/nf-cfgmgr32-cm_get_device_id_listw
"""

from __future__ import annotations

import re
import sys

__all__ = ["display_ids", "parse_instances"]

_CLASS = "{4d36e968-e325-11ce-bfc1-08002be10318}"
"""Display adapters. https://learn.microsoft.com/windows-hardware/drivers/install/system-defined-device-setup-classes"""
_PRESENT = 0x200 | 0x100
"""CM_GETIDLIST_FILTER_CLASS and CM_GETIDLIST_FILTER_PRESENT of cfgmgr32.h"""


def display_ids() -> str | None:
    """The adapters that are present, as `10de:1f82 8086:4680`; None anywhere but on Windows."""
    if sys.platform == "win32":
        import ctypes  # noqa: PLC0415 - costs 5 ms, and nobody else needs it

        manager, length = ctypes.WinDLL("cfgmgr32"), ctypes.c_ulong(0)
        if manager.CM_Get_Device_ID_List_SizeW(ctypes.byref(length), _CLASS, _PRESENT) == 0:
            names = ctypes.create_unicode_buffer(length.value + 1)
            if manager.CM_Get_Device_ID_ListW(_CLASS, names, length, _PRESENT) == 0:
                return parse_instances(ctypes.wstring_at(names, length.value))
    return None


def parse_instances(text: str) -> str:
    r"""Vendor and device of each `PCI\VEN_10DE&DEV_1F82&SUBSYS_…` in a list; what tells one machine is left out."""
    found = re.findall(r"\bVEN_([0-9A-F]{4})&DEV_([0-9A-F]{4})\b", text, re.IGNORECASE | re.ASCII)
    return " ".join(f"{vendor}:{device}".lower() for vendor, device in found)
