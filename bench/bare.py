"""The bare tables and statements: the least that does the work at all, with nothing that makes it a record.

No chain of hashes, no idempotency, no head to compare with, no positions, no keys. Used by every measure's bare case.
"""

SCHEMA = """
create table ev (
    pos bigint generated always as identity primary key,
    stream_id uuid not null, version int not null, type text not null,
    data jsonb not null, at timestamptz not null default clock_timestamp(),
    unique (stream_id, version)
);
create table outbox (
    id bigint generated always as identity primary key,
    event_pos bigint not null, topic text not null, body jsonb not null, sent_at timestamptz
);
create index outbox_unsent on outbox (id) where sent_at is null;
create table inbox (message_id uuid primary key, at timestamptz not null default clock_timestamp());
create table effect (
    message_id uuid not null, total numeric not null, at timestamptz not null default clock_timestamp()
);
create table proj (order_id uuid primary key, n int not null, units int not null)
"""

TYPE = "PhotoRefused"

INSERT = f"insert into ev (stream_id, version, type, data) values ($1, 1, '{TYPE}', $2) returning pos"  # noqa: S608
"""One event, one statement, one transaction."""

UNNEST = (
    "insert into ev (stream_id, version, type, data) "
    "select * from unnest($1::uuid[], $2::int[], $3::text[], $4::jsonb[]) returning pos"
)

PAGE = "select pos, stream_id, version, type, data from ev where pos > $1 order by pos limit $2"
PAGE_SIZE = 2000
STREAM = "select version, type, data from ev where stream_id = $1 order by version"

WITH_OUTBOX = (
    f"with e as (insert into ev (stream_id, version, type, data) values ($1, 1, '{TYPE}', $2) "  # noqa: S608
    "returning pos, data) insert into outbox (event_pos, topic, body) select pos, $1::uuid::text, data from e"
)
"""An event and the message that tells of it."""
FILL_OUTBOX = (
    "insert into outbox (event_pos, topic, body) select g, gen_random_uuid()::text, $1::jsonb "
    "from generate_series(1, $2) g"
)
UNSENT = "select id, topic, body from outbox where sent_at is null order by id limit $1"
SENT = "update outbox set sent_at = now() where id = any($1::bigint[])"
TAKE_ONE = "insert into inbox (message_id) values ($1) on conflict do nothing returning message_id"
EFFECT_OF_ONE = "insert into effect (message_id, total) values ($1, $2)"
TAKE_MANY = (
    "with m as (select * from unnest($1::uuid[], $2::float8[]) t(id, total)), "
    "n as (insert into inbox (message_id) select id from m on conflict do nothing returning message_id) "
    "insert into effect (message_id, total) select id, total from m join n on n.message_id = m.id"
)
EMPTIED = "truncate ev, outbox, inbox, effect, proj"
