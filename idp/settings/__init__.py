"""One frozen Settings, read from IDP_* once; reports all mistakes together. Nothing is opened or created here."""

from idp.settings.reading import missing_for, missing_for_intel, read_settings
from idp.settings.table import LOOPBACK, Settings, default_data_dir, names_this_machine

__all__ = [
    "LOOPBACK",
    "Settings",
    "default_data_dir",
    "missing_for",
    "missing_for_intel",
    "names_this_machine",
    "read_settings",
]
