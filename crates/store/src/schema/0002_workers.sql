-- Workers that were heard of, by name; attempts show no stored token any more. Blobs from before sweeping are kept.

CREATE TABLE o_worker (
    project {{text}} NOT NULL,
    pool {{text}} NOT NULL,
    name {{text}} NOT NULL,
    identity {{text}},
    since_us BIGINT NOT NULL,
    seen_us BIGINT NOT NULL,
    PRIMARY KEY (project, pool, name)
);

DROP TABLE o_attempt_token;

UPDATE o_blob SET pinned = 1;
