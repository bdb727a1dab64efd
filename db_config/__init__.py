"""Machine facts: settings, the embedded MongoDB server, the files jobflow and FireWorks read."""

from db_config.settings import Settings, get_settings, reset_settings

__all__ = ["Settings", "get_settings", "reset_settings"]
