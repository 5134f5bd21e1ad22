"""Whether the gateways and the number intelligence that are named are there, with what they need. Opens none."""

from idp.errors import SettingsError
from idp.settings import Settings
from idp.sms import gateway_problems
from idp.sms.intel import intel_problems


def check_installed(settings: Settings) -> None:
    """Raises `SettingsError` with every unknown name and missing setting, before anything is begun with them."""
    if problems := [*gateway_problems(settings.gateways_to_open, settings), *intel_problems(settings)]:
        raise SettingsError(problems)
