"""What is raised for a setting of the user's."""


class SettingError(ValueError):
    """A setting that the user gave is wrong."""
