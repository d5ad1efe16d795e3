-- The first schema. One text for both engines; {{serial}} numbers insertions, {{text}} is text ordered by its bytes.
-- Times are microseconds since 1970, truth values 0 or 1, digests and JSON text. `project` is in every key from the start.

CREATE TABLE facts (
    seq {{serial}},
    project {{text}} NOT NULL,
    stream {{text}} NOT NULL,
    position BIGINT NOT NULL,
    type {{text}} NOT NULL,
    v BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    actor {{text}} NOT NULL,
    via {{text}} NOT NULL,
    prev {{text}} NOT NULL,
    hash {{text}} NOT NULL,
    body {{text}} NOT NULL,
    log_index BIGINT,
    UNIQUE (project, stream, position)
);
CREATE INDEX facts_unsealed ON facts (seq) WHERE log_index IS NULL;
CREATE UNIQUE INDEX facts_logged ON facts (log_index) WHERE log_index IS NOT NULL;

CREATE TABLE log_node (
    level BIGINT NOT NULL,
    idx BIGINT NOT NULL,
    hash {{text}} NOT NULL,
    PRIMARY KEY (level, idx)
);

CREATE TABLE checkpoint (
    size BIGINT NOT NULL PRIMARY KEY,
    root {{text}} NOT NULL,
    note {{text}} NOT NULL,
    at_us BIGINT NOT NULL
);

CREATE TABLE p_doc (
    project {{text}} NOT NULL,
    kind {{text}} NOT NULL,
    key {{text}} NOT NULL,
    position BIGINT NOT NULL,
    hash {{text}} NOT NULL,
    live BIGINT NOT NULL,
    service {{text}},
    environment {{text}},
    label {{text}},
    state {{text}} NOT NULL,
    opened_us BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    PRIMARY KEY (project, kind, key)
);
CREATE INDEX p_doc_live ON p_doc (project, kind, key) WHERE live = 1;
CREATE INDEX p_doc_newest ON p_doc (project, kind, opened_us, key);
CREATE INDEX p_doc_service ON p_doc (project, kind, service, environment);
CREATE INDEX p_doc_environment ON p_doc (project, kind, environment);
CREATE INDEX p_doc_label ON p_doc (project, kind, label);

CREATE TABLE o_idempotency (
    project {{text}} NOT NULL,
    principal {{text}} NOT NULL,
    route {{text}} NOT NULL,
    key {{text}} NOT NULL,
    body_digest {{text}} NOT NULL,
    answer {{text}} NOT NULL,
    at_us BIGINT NOT NULL,
    PRIMARY KEY (project, principal, route, key)
);
CREATE INDEX o_idempotency_age ON o_idempotency (at_us);

CREATE TABLE o_action (
    project {{text}} NOT NULL,
    run {{text}} NOT NULL,
    step {{text}} NOT NULL,
    pool {{text}} NOT NULL,
    state {{text}} NOT NULL,
    not_before_us BIGINT NOT NULL,
    attempt {{text}},
    token BIGINT,
    worker {{text}},
    until_us BIGINT,
    PRIMARY KEY (project, run, step)
);
CREATE INDEX o_action_ready ON o_action (pool, state, not_before_us);
CREATE INDEX o_action_leased ON o_action (until_us) WHERE state = 'leased';

CREATE TABLE o_leader (
    name {{text}} NOT NULL PRIMARY KEY,
    holder {{text}} NOT NULL,
    epoch BIGINT NOT NULL,
    until_us BIGINT NOT NULL
);

CREATE TABLE o_person (
    project {{text}} NOT NULL,
    id {{text}} NOT NULL,
    handle {{text}} NOT NULL,
    name {{text}} NOT NULL,
    emails {{text}} NOT NULL,
    service_account BIGINT NOT NULL,
    owner {{text}},
    PRIMARY KEY (project, id),
    UNIQUE (project, handle)
);
CREATE TABLE o_email (
    project {{text}} NOT NULL,
    email {{text}} NOT NULL,
    person {{text}} NOT NULL,
    PRIMARY KEY (project, email)
);
CREATE INDEX o_email_person ON o_email (project, person);

CREATE TABLE o_account (
    project {{text}} NOT NULL,
    person {{text}} NOT NULL,
    password_hash {{text}} NOT NULL,
    failures BIGINT NOT NULL,
    locked_until_us BIGINT NOT NULL,
    changed_us BIGINT NOT NULL,
    PRIMARY KEY (project, person)
);
CREATE TABLE o_session (
    id_hash {{text}} NOT NULL PRIMARY KEY,
    project {{text}} NOT NULL,
    person {{text}} NOT NULL,
    csrf_hash {{text}} NOT NULL,
    created_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL,
    last_seen_us BIGINT NOT NULL
);
CREATE INDEX o_session_person ON o_session (project, person);
CREATE TABLE o_token (
    id {{text}} NOT NULL PRIMARY KEY,
    token_hash {{text}} NOT NULL UNIQUE,
    project {{text}} NOT NULL,
    person {{text}} NOT NULL,
    name {{text}} NOT NULL,
    created_us BIGINT NOT NULL,
    expires_us BIGINT,
    revoked_us BIGINT
);
CREATE INDEX o_token_person ON o_token (project, person);
CREATE TABLE o_invite (
    hash {{text}} NOT NULL PRIMARY KEY,
    project {{text}} NOT NULL,
    person {{text}} NOT NULL,
    expires_us BIGINT NOT NULL,
    used_us BIGINT
);
CREATE TABLE o_pool_key (
    hash {{text}} NOT NULL PRIMARY KEY,
    project {{text}} NOT NULL,
    pool {{text}} NOT NULL,
    created_us BIGINT NOT NULL,
    revoked_us BIGINT
);
CREATE TABLE o_attempt_token (
    attempt {{text}} NOT NULL PRIMARY KEY,
    hash {{text}} NOT NULL,
    project {{text}} NOT NULL,
    run {{text}} NOT NULL,
    step {{text}} NOT NULL,
    until_us BIGINT NOT NULL
);
CREATE INDEX o_attempt_token_age ON o_attempt_token (until_us);

CREATE TABLE o_reading (
    seq {{serial}},
    project {{text}} NOT NULL,
    run {{text}} NOT NULL,
    step {{text}} NOT NULL,
    at_us BIGINT NOT NULL,
    body {{text}} NOT NULL
);
CREATE INDEX o_reading_series ON o_reading (project, run, step, at_us);
CREATE INDEX o_reading_age ON o_reading (at_us);

CREATE TABLE o_report (
    project {{text}} NOT NULL,
    release_id {{text}} NOT NULL,
    environment {{text}} NOT NULL,
    body {{text}} NOT NULL,
    at_us BIGINT NOT NULL,
    verdict {{text}} NOT NULL,
    versions {{text}} NOT NULL,
    PRIMARY KEY (project, release_id, environment)
);

CREATE TABLE o_note (
    project {{text}} NOT NULL,
    digest {{text}} NOT NULL,
    salt {{text}} NOT NULL,
    text {{text}} NOT NULL,
    PRIMARY KEY (project, digest)
);

CREATE TABLE o_blob (
    digest {{text}} NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    pinned BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    condemned_us BIGINT
);
CREATE INDEX o_blob_condemned ON o_blob (condemned_us) WHERE condemned_us IS NOT NULL;
