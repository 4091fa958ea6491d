-- Read models of identity, rebuilt from events, without personal values: ids, states, dates and keyed hashes.

create table people (
    person text primary key,
    kind text not null,
    state text not null,
    organisation text,
    since timestamptz not null,
    version integer not null
);
create index people_by_organisation on people (organisation) where organisation is not null;
comment on table people is 'Every account there is: candidates and staff. organisation: where staff works.';

create table login_names (
    kind text not null,
    digest bytea not null,
    person text not null,
    primary key (kind, digest)
);
create index login_names_by_person on login_names (person);
comment on table login_names is 'Keyed hash of a mobile, ID number, ticket number or staff login -> whose it is.';

create table sessions (
    session text primary key,
    person text not null,
    kind text not null,
    started_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz,
    reason text
);
create index sessions_by_person on sessions (person);

create table roles (
    person text not null,
    role text not null,
    organisation text not null,
    granted_by text not null,
    granted_at timestamptz not null,
    primary key (person, role, organisation)
);
create index roles_by_organisation on roles (organisation);

create table organisations (
    organisation text primary key,
    title text not null,
    level text not null,
    parent text,
    phones text [] not null,
    open boolean not null,
    version integer not null
);
create index organisations_by_parent on organisations (parent);

-- 身份认证: who is being verified and where it waits; the photographs that are kept for it.

create table verifications (
    person text primary key,
    book text not null,
    state text not null check (state in ('collecting', 'waiting', 'failed', 'verified')),
    binding boolean not null,
    organisation text not null,
    attempt integer,
    role text,
    submitted_at timestamptz,
    due_at timestamptz,
    version integer not null
);
create index verifications_waiting on verifications (organisation, role, due_at) where state = 'waiting';
comment on column verifications.binding is 'The account was made to be verified, and serves nothing else before.';

create table verification_photographs (
    picture text primary key,
    original text not null unique,
    person text not null,
    version integer not null
);
create index verification_photographs_by_person on verification_photographs (person);

-- 前置学历: records of prior education, and under which numbers CHSI was asked about them.

create table education_records (
    id text primary key,
    person text not null,
    cycle text not null,
    scheme text not null,
    state text not null check (
        state in ('draft', 'submitted', 'checking', 'unresolved', 'effective', 'not_effective')
    ),
    reason text,
    flagged boolean not null default false,
    submissions integer not null default 0,
    started_at timestamptz not null,
    changed_at timestamptz not null,
    version integer not null
);
create index education_records_by_person on education_records (person, id);
create index education_records_flagged on education_records (changed_at) where flagged;
comment on column education_records.flagged is 'CHSI contradicted itself: for a clerk to look at.';

create table diploma_numbers (
    record text primary key,
    person text not null,
    hash bytea not null,
    version integer not null
);
create index diploma_numbers_by_hash on diploma_numbers (hash);
create index diploma_numbers_of_person on diploma_numbers (person);
comment on table diploma_numbers is 'Keyed hash of the number of each diploma in effect: one of two persons is for a clerk to look at.';

create table education_checks (
    request text primary key,
    record text not null,
    attempt integer not null,
    tried_at timestamptz not null
);

-- Operational rows, no facts and not rebuilt: they are worth something for minutes or hours only.

create table captchas (
    captcha text primary key,
    digest bytea not null,
    expires_at timestamptz not null,
    used_by uuid,
    let_through boolean
);
create index captchas_by_expiry on captchas (expires_at);
comment on table captchas is 'Each may be answered once; let_through: rightly, and within the limits, for the command in used_by.';

create table attempts (
    kind text not null,
    digest bytea not null,
    spent integer not null,
    pauses integer not null,
    full_up boolean not null,
    ends timestamptz not null,
    primary key (kind, digest)
);
create index attempts_by_end on attempts (ends);
comment on table attempts is 'Counters of the limits in the book, by keyed hash of a number, an account or an address.';

create table refresh_tokens (
    digest bytea primary key,
    session text not null,
    expires_at timestamptz not null,
    used_at timestamptz
);
create index refresh_tokens_by_session on refresh_tokens (session);
create index refresh_tokens_by_expiry on refresh_tokens (expires_at);
comment on table refresh_tokens is 'sha256 of each refresh token; one that is used twice ends its session.';
