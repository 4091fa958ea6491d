-- Read models of exemption. No personal value is in them: they hold ids, states, dates, keyed hashes and the version of
-- the event in which the form stands.

create table applications (
    id            text primary key,
    person        text        not null,
    scheme        text        not null,
    cycle         text        not null,
    state         text        not null, -- draft, unpaid, in_review, returned, granted, handed_off, discarded, refused, ...
    title         text        not null, -- the official name of the state, in the book's words
    submissions   int         not null default 0,
    number        text        not null default '',
    head          text        not null default '', -- the stream that says which application counts
    bases         text[]      not null default '{}',
    course_codes  text[]      not null default '{}',
    form_version  int,                  -- version of the event that holds the form as it now stands
    batch         text,
    started_at    timestamptz not null,
    handed_in_at  timestamptz,          -- the last time
    changed_at    timestamptz not null,
    version       int         not null
);
create index applications_of_person on applications (person, started_at desc, id);
create index applications_of_cycle on applications (cycle, state);
create index applications_by_number on applications (number) where number <> '';
create index applications_by_head on applications (head) where head <> '';

-- 待办: every desk an application has lain on.
create table desks (
    application   text        not null,
    person        text        not null,
    opened_in     int         not null, -- version of the event that opened it
    stage         text        not null,
    role          text        not null,
    organisation  text        not null,
    opened_at     timestamptz not null,
    due_at        timestamptz,
    outcome       text        not null default 'open', -- open, passed, returned, refused, unlocked, unpaid, superseded, lapsed, erased
    decided_at    timestamptz,
    version       int         not null,
    primary key (application, opened_in)
);
create index desks_waiting on desks (role, organisation, opened_at, application) where outcome = 'open';
create index desks_of_person on desks (person) where outcome = 'open';
create index desks_done on desks (role, organisation, decided_at, application) where outcome <> 'open';

-- Certificate numbers by keyed hash: counted and flagged, never claimed.
create table certificate_numbers (
    application   text        not null,
    person        text        not null,
    hash          bytea       not null,
    version       int         not null,
    primary key (application, hash)
);
create index certificate_numbers_by_hash on certificate_numbers (hash);
create index certificate_numbers_of_person on certificate_numbers (person);

-- Which application of a ticket number or person counts; the value itself is a claim of the stream `head-<id>`.
create table heads (
    id            text        primary key,
    person        text        not null,
    version       int         not null
);
create index heads_of_person on heads (person);

-- ID number and admission ticket number of account holders by keyed hash: by them a clerk finds an application.
create table person_numbers (
    person        text        not null,
    kind          text        not null, -- id_number, ticket_number
    hash          bytea       not null,
    version       int         not null,
    primary key (person, kind)
);
create index person_numbers_by_hash on person_numbers (hash);

-- How many numbers were given in a jurisdiction: its procedures and cycles may all have one pattern.
create table numbers_given (
    jurisdiction  text        primary key,
    given         int         not null
);

create table uploads (
    id            text primary key,
    application   text        not null,
    owner         text        not null,
    slot          text        not null,
    picture       text        not null,
    picture_digest text       not null,
    original      text        not null,
    original_type text        not null,
    version       int         not null
);

create index uploads_by_picture on uploads (picture);
create index uploads_by_original on uploads (original);

-- How many photographs a candidate sent for a slot on a day (Asia/Shanghai), accepted or not.
create table photograph_days (
    person        text        not null,
    slot          text        not null,
    day           date        not null,
    received      int         not null,
    primary key (person, slot, day)
);

create table organisations (
    id            text primary key,
    title         text        not null,
    level         text        not null,
    parent        text,
    phones        text[]      not null,
    closed        boolean     not null,
    version       int         not null
);
create index organisations_below on organisations (parent);

create table cycles (
    id            text primary key,
    scheme        text        not null,
    organisation  text        not null,
    title         text        not null,
    closed        boolean     not null default false,
    opened_at     timestamptz not null,
    version       int         not null
);

create table cycle_windows (
    cycle           text    not null,
    purpose         text    not null,
    from_day        date    not null,
    to_day          date    not null,
    hours           text    not null, -- JSON: [["09:00:00", "12:00:00"], ...]
    excluded        date[]  not null,
    close_inclusive boolean not null,
    ended           boolean not null, -- its end was recorded: by its days, or by the closing of the cycle
    version         int     not null,
    primary key (cycle, purpose)
);

create table batches (
    id              text primary key,
    scheme          text        not null,
    cycle           text        not null,
    organisation    text        not null,
    sender_role     text        not null,
    receiver        text        not null,
    receiver_role   text        not null,
    applications    text[]      not null,
    digest          text        not null,
    handed_off_at   timestamptz not null,
    reference       text,
    acknowledged_at timestamptz,
    version         int         not null
);
create index batches_of_sender on batches (organisation);
create index batches_of_receiver on batches (receiver);
