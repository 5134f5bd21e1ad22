"""What a start looks at before it loads the machinery of migrations."""

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from idp.crypto import new_secret_key
from idp.errors import IdpError
from idp.serving.place import prepare
from idp.settings import read_settings
from idp.store import migrations, revision
from idp.store.engine import Database
from idp.store.sql import Sql

AT = Sql("UPDATE alembic_version SET version_num = :revision")


def test_the_wanted_revision_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.directory()))
    assert ScriptDirectory.from_config(config).get_heads() == [revision.WANTED]


async def test_a_migrated_database_has_it(database_url: str) -> None:
    assert await revision.current(database_url) == revision.WANTED


@pytest.mark.parametrize(
    ("there", "said"),
    [("0031", "run `idp migrate`"), ("9999", "revision 9999, and this version of Stile knows .*: install a newer one")],
)
async def test_a_database_of_another_version_is_told_what_to_do(database_url: str, there: str, said: str) -> None:
    settings = read_settings({"IDP_DATABASE_URL": database_url, "IDP_SECRET_KEYS": new_secret_key("k")})
    db = Database(database_url, size=1)
    await db.open()
    try:
        await db.one(AT, revision=there)
        with pytest.raises(IdpError, match=said):
            await prepare(settings, database_url, migrate=False)
    finally:
        await db.one(AT, revision=revision.WANTED)
        await db.close()
