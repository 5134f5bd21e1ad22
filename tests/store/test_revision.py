"""What a start looks at before it loads the machinery of migrations."""

from alembic.config import Config
from alembic.script import ScriptDirectory

from idp.store import migrations, revision


def test_the_wanted_revision_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.directory()))
    assert ScriptDirectory.from_config(config).get_heads() == [revision.WANTED]


async def test_a_migrated_database_has_it(database_url: str) -> None:
    assert await revision.current(database_url) == revision.WANTED
