"""The groups `app`, `engine` and `template`, with all their commands."""

from __future__ import annotations

from triptych.blocks import Role
from triptych.cli import app_dev, app_test, suggest
from triptych.cli.blocks import app_commands, engine_commands, template_commands
from triptych.cli.publishing.commands import ENGINES, add_block_commands, add_template_commands

__all__ = ["app_commands", "engine_commands", "template_commands"]

add_block_commands(app_commands, "app", (Role.APP,))
add_block_commands(engine_commands, "engine", ENGINES)
add_template_commands(template_commands)
app_commands.command("test", epilog=app_test.EPILOG)(app_test.app_test)
app_commands.command("dev", epilog=app_dev.EPILOG)(app_dev.app_dev)
engine_commands.command("suggest", epilog=suggest.EPILOG)(suggest.engine_suggest)
