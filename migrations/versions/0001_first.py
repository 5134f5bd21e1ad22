"""Everything Stile 0.1 needs."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE account (
        id UUID NOT NULL,
        username TEXT NOT NULL,
        password_hash TEXT,
        name TEXT,
        email TEXT,
        email_verified BOOLEAN DEFAULT false NOT NULL,
        groups TEXT[] DEFAULT '{}'::text[] NOT NULL,
        claims JSONB DEFAULT '{}'::jsonb NOT NULL,
        locale TEXT,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
        disabled_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_account PRIMARY KEY (id),
        CONSTRAINT uq_account_username UNIQUE (username)
    )
    """,
    """
    CREATE TABLE audit_event (
        id BIGINT GENERATED ALWAYS AS IDENTITY,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        name TEXT NOT NULL,
        account_id UUID,
        client_id TEXT,
        fields JSONB DEFAULT '{}'::jsonb NOT NULL,
        CONSTRAINT pk_audit_event PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX ix_audit_event_account_id ON audit_event (account_id, at) WHERE account_id IS NOT NULL",
    "CREATE INDEX ix_audit_event_at ON audit_event (at)",
    """
    CREATE TABLE client (
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        auth_method TEXT NOT NULL,
        secret_hash BYTEA,
        redirect_uris TEXT[] DEFAULT '{}'::text[] NOT NULL,
        post_logout_redirect_uris TEXT[] DEFAULT '{}'::text[] NOT NULL,
        grant_types TEXT[] DEFAULT '{}'::text[] NOT NULL,
        scopes TEXT[] DEFAULT '{}'::text[] NOT NULL,
        require_pkce BOOLEAN DEFAULT true NOT NULL,
        first_party BOOLEAN DEFAULT false NOT NULL,
        native BOOLEAN DEFAULT false NOT NULL,
        signing_alg TEXT DEFAULT 'RS256' NOT NULL,
        userinfo_alg TEXT,
        rotate_refresh BOOLEAN DEFAULT true NOT NULL,
        assertion_audience TEXT DEFAULT 'any' NOT NULL,
        jwks JSONB,
        audience TEXT[] DEFAULT '{}'::text[] NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        disabled_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_client PRIMARY KEY (id),
        CONSTRAINT ck_client_public_needs_pkce CHECK (require_pkce OR auth_method <> 'none'),
        CONSTRAINT uq_client_name UNIQUE (name)
    )
    """,
    """
    CREATE TABLE client_assertion (
        hash BYTEA NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_client_assertion PRIMARY KEY (hash)
    )
    """,
    "CREATE INDEX ix_client_assertion_expires_at ON client_assertion (expires_at)",
    """
    CREATE TABLE rate_limit (
        key BYTEA NOT NULL,
        count INTEGER NOT NULL,
        last_at TIMESTAMP WITH TIME ZONE NOT NULL,
        hits TIMESTAMP WITH TIME ZONE[] NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_rate_limit PRIMARY KEY (key)
    )
    """,
    "CREATE INDEX ix_rate_limit_expires_at ON rate_limit (expires_at)",
    """
    CREATE TABLE signing_key (
        id TEXT NOT NULL,
        alg TEXT NOT NULL,
        sealed BYTEA NOT NULL,
        state TEXT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        retired_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_signing_key PRIMARY KEY (id),
        CONSTRAINT ck_signing_key_state CHECK (state IN ('next', 'current', 'retired'))
    )
    """,
    "CREATE UNIQUE INDEX uq_signing_key_current ON signing_key (alg) WHERE state = 'current'",
    "CREATE UNIQUE INDEX uq_signing_key_next ON signing_key (alg) WHERE state = 'next'",
    """
    CREATE TABLE authenticator (
        id UUID NOT NULL,
        account_id UUID NOT NULL,
        factor TEXT NOT NULL,
        label TEXT NOT NULL,
        hint TEXT NOT NULL,
        sealed BYTEA,
        lookup BYTEA,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        confirmed_at TIMESTAMP WITH TIME ZONE,
        expires_at TIMESTAMP WITH TIME ZONE,
        trusted_at TIMESTAMP WITH TIME ZONE NOT NULL,
        enrolled_in UUID,
        session_id UUID,
        last_step BIGINT DEFAULT 0 NOT NULL,
        last_used_at TIMESTAMP WITH TIME ZONE,
        closed_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_authenticator PRIMARY KEY (id),
        CONSTRAINT ck_authenticator_factor CHECK (factor IN ('sms', 'totp', 'recovery')),
        CONSTRAINT ck_authenticator_pending CHECK ((confirmed_at IS NULL) = (expires_at IS NOT NULL)),
        CONSTRAINT fk_authenticator_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_authenticator_account_id ON authenticator (account_id)",
    "CREATE INDEX ix_authenticator_expires_at ON authenticator (expires_at) WHERE expires_at IS NOT NULL",
    "CREATE INDEX ix_authenticator_lookup ON authenticator (lookup) WHERE lookup IS NOT NULL",
    """
    CREATE TABLE consent (
        account_id UUID NOT NULL,
        client_id TEXT NOT NULL,
        scopes TEXT[] NOT NULL,
        granted_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT pk_consent PRIMARY KEY (account_id, client_id),
        CONSTRAINT fk_consent_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE,
        CONSTRAINT fk_consent_client_id FOREIGN KEY(client_id) REFERENCES client (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE grant_ (
        id UUID NOT NULL,
        client_id TEXT NOT NULL,
        account_id UUID,
        session_id UUID,
        scopes TEXT[] NOT NULL,
        level SMALLINT NOT NULL,
        acr TEXT,
        amr TEXT[] DEFAULT '{}'::text[] NOT NULL,
        auth_time TIMESTAMP WITH TIME ZONE,
        strong_at TIMESTAMP WITH TIME ZONE,
        claims JSONB DEFAULT '{}'::jsonb NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        revoked_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_grant_ PRIMARY KEY (id),
        CONSTRAINT ck_grant__two_factors CHECK (account_id IS NULL OR (level >= 2 AND auth_time IS NOT NULL)),
        CONSTRAINT fk_grant__client_id FOREIGN KEY(client_id) REFERENCES client (id) ON DELETE CASCADE,
        CONSTRAINT fk_grant__account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_grant__account_id ON grant_ (account_id) WHERE account_id IS NOT NULL",
    "CREATE INDEX ix_grant__expires_at ON grant_ (expires_at)",
    "CREATE INDEX ix_grant__session_id ON grant_ (session_id) WHERE session_id IS NOT NULL",
    """
    CREATE TABLE session (
        id UUID NOT NULL,
        token_hash BYTEA NOT NULL,
        account_id UUID,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
        ended_at TIMESTAMP WITH TIME ZONE,
        user_agent TEXT DEFAULT '' NOT NULL,
        CONSTRAINT pk_session PRIMARY KEY (id),
        CONSTRAINT uq_session_token_hash UNIQUE (token_hash),
        CONSTRAINT fk_session_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_session_account_id ON session (account_id) WHERE account_id IS NOT NULL",
    "CREATE INDEX ix_session_seen_at ON session (seen_at)",
    """
    CREATE TABLE authentication_event (
        id BIGINT GENERATED ALWAYS AS IDENTITY,
        session_id UUID NOT NULL,
        account_id UUID NOT NULL,
        factor TEXT NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        client_id TEXT NOT NULL,
        interaction_id UUID,
        authenticator_id UUID,
        CONSTRAINT pk_authentication_event PRIMARY KEY (id),
        CONSTRAINT ck_authentication_event_factor CHECK (factor IN ('password', 'sms', 'totp', 'recovery')),
        CONSTRAINT fk_authentication_event_session_id FOREIGN KEY(session_id) REFERENCES session (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_authentication_event_session_id ON authentication_event (session_id)",
    """
    CREATE TABLE authorization_code (
        hash BYTEA NOT NULL,
        grant_id UUID NOT NULL,
        level SMALLINT NOT NULL,
        redirect_uri TEXT NOT NULL,
        code_challenge TEXT,
        nonce TEXT,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        used_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_authorization_code PRIMARY KEY (hash),
        CONSTRAINT ck_authorization_code_two_factors CHECK (level >= 2),
        CONSTRAINT fk_authorization_code_grant_id FOREIGN KEY(grant_id) REFERENCES grant_ (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_authorization_code_grant_id ON authorization_code (grant_id)",
    """
    CREATE TABLE interaction (
        id UUID NOT NULL,
        session_id UUID NOT NULL,
        client_id TEXT NOT NULL,
        request JSONB NOT NULL,
        started_at TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        consented TEXT[],
        account_chosen BOOLEAN DEFAULT false NOT NULL,
        finished_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_interaction PRIMARY KEY (id),
        CONSTRAINT fk_interaction_session_id FOREIGN KEY(session_id) REFERENCES session (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_interaction_expires_at ON interaction (expires_at)",
    "CREATE INDEX ix_interaction_session_id ON interaction (session_id)",
    """
    CREATE TABLE message (
        id UUID NOT NULL,
        account_id UUID NOT NULL,
        authenticator_id UUID NOT NULL,
        interaction_id UUID,
        kind TEXT NOT NULL,
        nonce BYTEA,
        key_id TEXT,
        purpose TEXT,
        fields JSONB DEFAULT '{}'::jsonb NOT NULL,
        locale TEXT,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        state TEXT DEFAULT 'waiting' NOT NULL,
        lease_until TIMESTAMP WITH TIME ZONE,
        tries INTEGER DEFAULT 0 NOT NULL,
        CONSTRAINT pk_message PRIMARY KEY (id),
        CONSTRAINT ck_message_state CHECK (state IN ('waiting', 'sent', 'failed', 'expired')),
        CONSTRAINT fk_message_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE,
        CONSTRAINT fk_message_authenticator_id FOREIGN KEY(authenticator_id) REFERENCES authenticator (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_message_expires_at ON message (expires_at)",
    "CREATE INDEX ix_message_interaction_id ON message (interaction_id) WHERE interaction_id IS NOT NULL",
    "CREATE INDEX ix_message_waiting ON message (created_at) WHERE state = 'waiting'",
    """
    CREATE TABLE recovery_code (
        hash BYTEA NOT NULL,
        authenticator_id UUID NOT NULL,
        used_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_recovery_code PRIMARY KEY (hash),
        CONSTRAINT fk_recovery_code_authenticator_id FOREIGN KEY(authenticator_id) REFERENCES authenticator (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_recovery_code_authenticator_id ON recovery_code (authenticator_id)",
    """
    CREATE TABLE refresh_token (
        hash BYTEA NOT NULL,
        grant_id UUID NOT NULL,
        issued_at TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        used_at TIMESTAMP WITH TIME ZONE,
        successor BYTEA,
        CONSTRAINT pk_refresh_token PRIMARY KEY (hash),
        CONSTRAINT fk_refresh_token_grant_id FOREIGN KEY(grant_id) REFERENCES grant_ (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_refresh_token_grant_id ON refresh_token (grant_id)",
    "CREATE INDEX ix_refresh_token_expires_at ON refresh_token (expires_at)",
    """
    CREATE TABLE challenge (
        interaction_id UUID NOT NULL,
        factor TEXT NOT NULL,
        account_id UUID NOT NULL,
        authenticator_id UUID,
        purpose TEXT NOT NULL,
        nonce BYTEA NOT NULL,
        key_id TEXT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        attempts INTEGER DEFAULT 0 NOT NULL,
        max_attempts INTEGER NOT NULL,
        sends INTEGER DEFAULT 0 NOT NULL,
        consumed_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT pk_challenge PRIMARY KEY (interaction_id, factor),
        CONSTRAINT ck_challenge_attempts CHECK (attempts <= max_attempts),
        CONSTRAINT fk_challenge_interaction_id FOREIGN KEY(interaction_id) REFERENCES interaction (id) ON DELETE CASCADE,
        CONSTRAINT fk_challenge_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE message_attempt (
        id UUID NOT NULL,
        message_id UUID NOT NULL,
        gateway TEXT NOT NULL,
        started_at TIMESTAMP WITH TIME ZONE NOT NULL,
        finished_at TIMESTAMP WITH TIME ZONE,
        outcome TEXT,
        reason TEXT,
        provider_code TEXT,
        provider_id TEXT,
        segments INTEGER,
        cost TEXT,
        currency TEXT,
        CONSTRAINT pk_message_attempt PRIMARY KEY (id),
        CONSTRAINT fk_message_attempt_message_id FOREIGN KEY(message_id) REFERENCES message (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX ix_message_attempt_message_id ON message_attempt (message_id)",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("message_attempt")
    op.drop_table("challenge")
    op.drop_table("refresh_token")
    op.drop_table("recovery_code")
    op.drop_table("message")
    op.drop_table("interaction")
    op.drop_table("authorization_code")
    op.drop_table("authentication_event")
    op.drop_table("session")
    op.drop_table("grant_")
    op.drop_table("consent")
    op.drop_table("authenticator")
    op.drop_table("signing_key")
    op.drop_table("rate_limit")
    op.drop_table("client_assertion")
    op.drop_table("client")
    op.drop_table("audit_event")
    op.drop_table("account")
