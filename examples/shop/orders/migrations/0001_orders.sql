CREATE TABLE orders (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    key           TEXT    NOT NULL UNIQUE,
    customer      TEXT    NOT NULL,
    sku           TEXT    NOT NULL,
    qty           INTEGER NOT NULL CHECK (qty > 0),
    total_cents   INTEGER NOT NULL,
    authorisation TEXT    NOT NULL,
    placed_at     INTEGER NOT NULL
) STRICT;

CREATE INDEX orders_by_customer ON orders (customer, id);
