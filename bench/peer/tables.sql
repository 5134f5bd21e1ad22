CREATE TABLE entity (
    model text NOT NULL,
    id text NOT NULL,
    payload jsonb NOT NULL,
    grant_id text,
    uid text,
    user_code text,
    expires_at timestamptz NOT NULL,
    consumed_at timestamptz,
    PRIMARY KEY (id, model)
);
CREATE INDEX entity_grant ON entity (grant_id) WHERE grant_id IS NOT NULL;
CREATE UNIQUE INDEX entity_uid ON entity (uid) WHERE uid IS NOT NULL;
CREATE UNIQUE INDEX entity_user_code ON entity (user_code) WHERE user_code IS NOT NULL;
CREATE INDEX entity_expires ON entity (expires_at);

CREATE TABLE person (
    id uuid PRIMARY KEY,
    username text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    name text NOT NULL,
    email text NOT NULL,
    seed bytea NOT NULL,
    last_step bigint NOT NULL DEFAULT 0
);
