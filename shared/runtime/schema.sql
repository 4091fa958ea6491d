-- The event store of one service. Applied with search_path set to the service's schema, by the owner.
-- The service's own role gets exactly the grants at the end: it can add to history, never change it.

create table streams (
    stream text primary key,
    version integer not null check (version > 0),
    hash bytea not null
);
comment on table streams is 'Head of each stream: the compare-and-set target of an append.';

create table events (
    seq bigint generated always as identity,
    stream text not null,
    version integer not null check (version > 0),
    type text not null,
    event_id uuid not null,
    command_id uuid not null,
    case_id text,
    person text,
    actor text not null,
    causation uuid,
    correlation uuid,
    traceparent text,
    recorded_at timestamptz not null,
    body json not null,
    previous_hash bytea not null,
    hash bytea not null,
    primary key (stream, version),
    unique (seq)
);
comment on table events is 'Append-only. body is json, not jsonb: its exact text is what the hash covers.';
create index events_by_case on events (case_id) where case_id is not null;
create index events_by_person on events (person) where person is not null;
create index events_by_cause on events (causation) where causation is not null;

create table log (
    position bigint primary key,
    seq bigint not null unique
);
comment on table log is
'Dense positions 1, 2, 3..., given after commit by the sequencer. seq is of events, which nobody can delete: a foreign key
would lock and write every event a second time.';

create table commands (
    command_id uuid primary key,
    digest bytea not null,
    receipt json not null,
    recorded_at timestamptz not null
);
comment on table commands is 'Idempotency for ever: the same id again gets the same receipt.';

create table sequencer (
    only_row boolean primary key default true check (only_row),
    leader uuid,
    epoch bigint not null default 0,
    lease_until timestamptz not null default '-infinity',
    seen bigint not null default 0,
    published bigint not null default 0
);
insert into sequencer default values;

create table gaps (
    seq bigint primary key,
    horizon xid8
);
comment on table gaps is
'Sequence numbers not seen although a later one was. Given up once every transaction alive at horizon has ended.';

create table claims (
    kind text not null,
    key bytea not null,
    stream text not null,
    primary key (kind, key)
);
comment on table claims is 'Uniqueness across streams. key is a keyed hash, never the plain value.';
create index claims_by_stream on claims (stream);

create table timers (
    kind text not null,
    stream text not null,
    key text not null default '',
    due_at timestamptz not null,
    leased_until timestamptz not null default '-infinity',
    primary key (kind, stream, key)
);
create index timers_by_due on timers (due_at);

create table sources (
    source text primary key,
    position bigint not null default 0,
    deployed_at bigint
);
comment on table sources is
'How far each source has been followed without a hole; deployed_at: its position when this service first followed it.';

create table inbox (
    source text not null,
    stream text not null,
    version integer not null,
    primary key (source, stream)
);
comment on table inbox is 'Last version handled of each foreign stream: lower is a duplicate, higher waits.';

create table reactions (
    source text not null,
    stream text not null,
    version integer not null,
    outcome text not null,
    recorded_at timestamptz not null,
    primary key (source, stream, version)
);
comment on table reactions is 'Reactions that our own rules refused, with the code.';

create table parked (
    source text not null,
    stream text not null,
    version integer not null,
    type text not null,
    event_id uuid not null,
    case_id text,
    person text,
    reason text not null,
    detail text not null,
    attempts integer not null default 1,
    parked_at timestamptz not null,
    retry_at timestamptz,
    latest integer not null,
    primary key (source, stream)
);
comment on table parked is
'Foreign streams that wait at a version: retry_at set = tried again then (not yet, or a person says so), null = poison
(a person decides). latest: the highest version that came meanwhile and was passed over.';

create table replicas (
    replica uuid primary key,
    since timestamptz not null,
    lease_until timestamptz not null
);
comment on table replicas is 'Who lives and takes messages from the bus.';

create table shares (
    queue integer primary key,
    replica uuid references replicas (replica) on delete set null
);
comment on table shares is 'Which replica takes from which of this service''s queues; null: free.';

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'events are append-only' using errcode = 'ZK001';
end $$;

create trigger events_append_only before update or delete on events
for each row execute function refuse_change();
create trigger events_no_truncate before truncate on events
for each statement execute function refuse_change();
create trigger log_append_only before update or delete on log
for each row execute function refuse_change();
create trigger log_no_truncate before truncate on log
for each statement execute function refuse_change();

-- Asked by an append (`event_store.py`) that did not find the stream's head where it should be.
create function refuse_move(to_stream text, expected integer) returns boolean language plpgsql as $$
begin
    raise exception 'stream % is not at version %', to_stream, expected using errcode = 'ZK003';
end $$;

-- The appends of several commands, all or none. As in the append of one command ids come first, heads second, sequence numbers
-- last; and each in one order whoever comes, so that two batches never wait for each other. A head is moved from the
-- version that is `known` of it, 0 for a stream that is new.
create function append_all(
    command_ids uuid [], digests bytea [], receipts text [], carried_out_at timestamptz [],
    heads text [], known integer [], reached integer [], last_hashes bytea [],
    streams_of text [], versions integer [], types text [], event_ids uuid [], commands_of uuid [],
    cases text [], persons text [], actors text [], causations uuid [], correlations uuid [], traceparents text [],
    times timestamptz [], bodies text [], previous bytea [], hashes bytea []
) returns void language plpgsql as $$
declare
    begun integer;
    moved integer;
begin
    insert into commands
    select c.id, c.digest, c.receipt::json, c.at
    from unnest(command_ids, digests, receipts, carried_out_at) as c (id, digest, receipt, at)
    order by c.id
    on conflict do nothing;
    get diagnostics moved = row_count;
    if moved < cardinality(command_ids) then
        raise exception 'one of % commands is recorded already', cardinality(command_ids) using errcode = 'ZK002';
    end if;
    insert into streams
    select h.stream, h.reached, h.hash
    from unnest(heads, known, append_all.reached, last_hashes) as h (stream, known, reached, hash)
    where h.known = 0
    order by h.stream
    on conflict do nothing;
    get diagnostics begun = row_count;
    moved := 0;
    if begun < cardinality(heads) then
        perform from streams as s where s.stream = any(heads) order by s.stream for update;
        update streams as s set version = h.reached, hash = h.hash
        from unnest(heads, known, append_all.reached, last_hashes) as h (stream, known, reached, hash)
        where s.stream = h.stream and s.version = h.known;
        get diagnostics moved = row_count;
    end if;
    if begun + moved < cardinality(heads) then
        raise exception 'one of % streams is at another version', cardinality(heads) using errcode = 'ZK003';
    end if;
    insert into events (
        stream, version, type, event_id, command_id, case_id, person, actor, causation, correlation, traceparent,
        recorded_at, body, previous_hash, hash
    )
    select
        e.stream, e.version, e.type, e.event_id, e.command_id, e.case_id, e.person, e.actor,
        e.causation, e.correlation, e.traceparent, e.recorded_at, e.body::json, e.previous_hash, e.hash
    from unnest(
        streams_of, versions, types, event_ids, commands_of, cases, persons, actors, causations, correlations,
        traceparents, times, bodies, previous, hashes
    ) with ordinality as e (
        stream, version, type, event_id, command_id, case_id, person, actor, causation, correlation, traceparent,
        recorded_at, body, previous_hash, hash, place
    )
    order by e.place;
end $$;

-- Lock the inbox rows of these streams, in the order given, so that two replicas cannot both handle one, and say where
-- each stands. What is parked is read by a statement after the locks: who held them may have let a stream go on.
create function open_inbox(sources text [], streams text [])
returns table (source text, stream text, version integer, parked boolean, deployed_at bigint) language plpgsql as $$
#variable_conflict use_column
begin
    insert into inbox select k.source, k.stream, 0
    from unnest(sources, streams) as k (source, stream) on conflict do nothing;
    perform from inbox as i join unnest(sources, streams) as k (source, stream) using (source, stream)
    order by i.source, i.stream for update of i;
    return query
    select i.source, i.stream, i.version, p.source is not null, coalesce(s.deployed_at, 0)
    from inbox as i
    join unnest(sources, streams) as k (source, stream) using (source, stream)
    left join parked as p using (source, stream)
    left join sources as s using (source);
end $$;

-- Move these streams on from where somebody saw them without a lock; nobody else may have moved them or parked them
-- since. What is parked is read by a statement after the locks, as in `open_inbox`.
create function move_inbox(sources text [], streams text [], known integer [], reached integer [])
returns void language plpgsql as $$
declare
    begun integer;
    moved integer := 0;
begin
    insert into inbox
    select k.source, k.stream, k.reached
    from unnest(sources, streams, known, move_inbox.reached) as k (source, stream, known, reached)
    where k.known = 0
    order by k.source, k.stream
    on conflict do nothing;
    get diagnostics begun = row_count;
    if begun < cardinality(streams) then
        perform from inbox as i join unnest(sources, streams) as k (source, stream) using (source, stream)
        order by i.source, i.stream for update of i;
        update inbox as i set version = k.reached
        from unnest(sources, streams, known, move_inbox.reached) as k (source, stream, known, reached)
        where i.source = k.source and i.stream = k.stream and i.version = k.known
            and not exists (select from parked as p where p.source = k.source and p.stream = k.stream);
        get diagnostics moved = row_count;
    end if;
    if begun + moved < cardinality(streams) then
        raise exception 'one of % streams is not where it was', cardinality(streams) using errcode = 'ZK003';
    end if;
end $$;

-- Leadership is a lease by the database's clock: a frozen leader loses it, and its epoch with it. One that seems to last
-- longer than any lease was taken before that clock was set back, and is over.
create function take_lead(candidate uuid, lease interval) returns bigint language sql as $$
    update sequencer set
        epoch = case when leader = candidate and lease_until > clock_timestamp() then epoch else epoch + 1 end,
        leader = candidate, lease_until = clock_timestamp() + lease
    where leader = candidate or lease_until not between clock_timestamp() and clock_timestamp() + lease
    returning epoch
$$;

-- A replica says that it lives, and hears which queues are its own. Everybody has as many as the others; where that
-- does not come out even, the oldest have one more, so that a newcomer moves no more queues than it gets.
create function take_share(candidate uuid, queues integer, lease interval) returns integer [] language plpgsql as $$
declare
    living bigint;
    older bigint;
    due bigint;
begin
    -- one after the other; a replica that is frozen holds no lock, since this is one statement of its own
    lock table replicas in exclusive mode;
    delete from replicas as r
    where r.lease_until not between clock_timestamp() and clock_timestamp() + lease and r.replica <> candidate;
    insert into replicas values (candidate, clock_timestamp(), clock_timestamp() + lease)
    on conflict (replica) do update set lease_until = excluded.lease_until;
    insert into shares select n from generate_series(0, queues - 1) as n on conflict do nothing;
    select count(*), count(*) filter (where (r.since, r.replica) < (us.since, us.replica)) into living, older
    from replicas as r cross join replicas as us where us.replica = candidate;
    due := (queues + living - 1 - older) / living;
    update shares as s set replica = null where s.queue in (
        select m.queue from shares as m where m.replica = candidate order by m.queue offset due
    );
    update shares as s set replica = candidate where s.queue in (
        select f.queue from shares as f where f.replica is null and f.queue < queues order by f.queue
        limit due - (select count(*) from shares as m where m.replica = candidate)
    );
    return array(select s.queue from shares as s where s.replica = candidate order by s.queue);
end $$;

-- Give dense positions to committed events, at most `most` at once, and return them, so that nobody has to look for them.
-- Numbers missing below the highest one seen become gaps. A gap's horizon is the id of a *later* sequencer
-- transaction, so every transaction that may own the number is older than its horizon.
create function give_positions(own_epoch bigint, most integer)
returns table (place bigint, event events) language plpgsql as $$
#variable_conflict use_column
declare
    mark sequencer;
    alive_from xid8;
begin
    select s.* into mark from sequencer as s for update;
    if mark.epoch <> own_epoch then
        raise exception 'epoch % is over', own_epoch using errcode = 'ZK004';
    end if;
    update gaps set horizon = pg_current_xact_id() where horizon is null;
    alive_from := pg_snapshot_xmin(pg_current_snapshot());
    -- one statement, so one snapshot: what it reads and what it calls missing belong together
    return query
    with batch as materialized (
        select e.seq, e as event from gaps as g join events as e on e.seq = g.seq
        union all
        (select e.seq, e as event from events as e where e.seq > mark.seen order by e.seq limit most)
    ),
    numbered as (
        insert into log
        select
            (select coalesce(max(l.position), 0) from log as l) + row_number() over (order by b.seq),
            b.seq
        from batch as b
        returning log.position, log.seq
    ),
    newest as (select greatest(mark.seen, max(b.seq)) as seq from batch as b),
    filled as (
        delete from gaps as g
        where g.horizon < alive_from or exists (select from batch as b where b.seq = g.seq)
    ),
    missed as (
        insert into gaps (seq)
        select n from newest, generate_series(mark.seen + 1, newest.seq) as n
        where not exists (select from batch as b where b.seq = n)
    ),
    moved as (update sequencer set seen = newest.seq from newest where seen <> newest.seq)
    select n.position, b.event from numbered as n join batch as b on b.seq = n.seq;
end $$;
