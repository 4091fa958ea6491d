-- Read models of notification: states, codes and dates. Numbers and texts stay sealed in the events.

create table messages (
    id text primary key,
    person text not null,
    case_id text,
    moment text not null,
    title text not null,
    in_inbox boolean not null,
    sms_state text not null check (
        sms_state in (
            'none', 'waiting', 'sending', 'in_doubt', 'accepted', 'delivered', 'undelivered', 'unresolved', 'given_up'
        )
    ),
    provider text,
    code text not null default '',
    attempts integer not null default 0,
    resends integer not null default 0,
    requested_at timestamptz not null,
    changed_at timestamptz not null,
    read_at timestamptz,
    version integer not null
);
comment on table messages is 'One row a message, whatever its channels; version is the last event it reflects.';
create index messages_by_person on messages (person, requested_at desc, id desc) where in_inbox;
create index messages_by_case on messages (case_id, requested_at) where case_id is not null;

create table case_reviewers (
    case_id text not null,
    organisation text not null,
    version integer not null,
    primary key (case_id, organisation)
);
comment on table case_reviewers is 'The organisations that review a case: their staff may see whether it was told.';

create table attempts (
    message text not null,
    attempt integer not null,
    provider text not null,
    tried_at timestamptz not null,
    outcome text not null check (outcome in ('open', 'accepted', 'failed', 'in_doubt', 'number_refused')),
    code text not null default '',
    took_ms integer,
    ended_at timestamptz,
    primary key (message, attempt)
);
comment on table attempts is 'Every call to a provider; tells which provider is slow or failing.';
create index attempts_by_end on attempts (ended_at);
