"""One frozen Settings, read from IDP_* once; reports all mistakes together. Nothing is opened or created here."""

from idp.settings.database import SYSTEM, read_database_url
from idp.settings.reading import POLICY_FILE, missing_for, missing_for_intel, read_settings
from idp.settings.table import LOOPBACK, Settings, default_data_dir, names_this_machine

__all__ = [
    "LOOPBACK",
    "POLICY_FILE",
    "SYSTEM",
    "Settings",
    "default_data_dir",
    "missing_for",
    "missing_for_intel",
    "names_this_machine",
    "read_database_url",
    "read_settings",
]
