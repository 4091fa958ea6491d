-- The keyring: one data key per person, wrapped by a key-encryption key that the database never sees.
-- In production a cluster of its own with short-lived backups; services reach it through these functions only.

create schema keyring;

create table keyring.keys (
    person text primary key,
    wrapped bytea,
    created_at timestamptz not null default clock_timestamp(),
    erased_at timestamptz,
    check ((wrapped is null) = (erased_at is not null))
);
comment on table keyring.keys is 'wrapped null = tombstone: the person is erased and gets no new key, ever.';

create function keyring.create_key(of_person text, wrapped_key bytea) returns boolean
language sql security definer set search_path = keyring as $$
    with made as (
        insert into keys (person, wrapped) values (of_person, wrapped_key) on conflict do nothing returning 1
    )
    select exists (select from made)
$$;

create function keyring.read_keys(of_persons text []) returns table (person text, wrapped bytea, erased boolean)
language sql security definer set search_path = keyring as $$
    select k.person, k.wrapped, k.erased_at is not null from keys as k where k.person = any(of_persons)
$$;

create function keyring.erase_key(of_person text) returns boolean
language sql security definer set search_path = keyring as $$
    with erased as (
        update keys set wrapped = null, erased_at = clock_timestamp()
        where person = of_person and wrapped is not null returning 1
    )
    select exists (select from erased)
$$;

revoke all on all functions in schema keyring from public;
