-- People, what they sign in with, the audit log and the counters of the catalog itself.

CREATE TABLE changes (
	one    {{int}} PRIMARY KEY CHECK (one = 1),
	n      {{int}} NOT NULL, -- commits that did something
	probed {{int}} NOT NULL
){{strict}};
INSERT INTO changes (one, n, probed) VALUES (1, 0, 0);

CREATE TABLE access (
	one   {{int}} PRIMARY KEY CHECK (one = 1),
	epoch {{int}} NOT NULL
){{strict}};
INSERT INTO access (one, epoch) VALUES (1, 0);

CREATE TABLE settings (
	name  {{text}} PRIMARY KEY,
	value {{text}} NOT NULL
){{strict}};

CREATE TABLE users (
	id       {{id}},
	name     {{text}} NOT NULL UNIQUE,
	folded   {{text}} NOT NULL UNIQUE, -- lower case
	role     {{int}} NOT NULL,
	disabled {{int}} NOT NULL,
	quota    {{int}} NOT NULL,
	used     {{int}} NOT NULL DEFAULT 0,
	reserved {{int}} NOT NULL DEFAULT 0,
	created  {{int}} NOT NULL
){{strict}};

CREATE TABLE credentials (
	usr     {{int}} NOT NULL REFERENCES users (id),
	kind    {{text}} NOT NULL,
	issuer  {{text}} NOT NULL,
	subject {{text}} NOT NULL,
	secret  {{text}} NOT NULL,
	changed {{int}} NOT NULL,
	PRIMARY KEY (usr, kind, issuer, subject)
){{strict}};
CREATE UNIQUE INDEX credentials_subject ON credentials (kind, issuer, subject) WHERE kind <> 'password';

CREATE TABLE groups (
	id      {{id}},
	name    {{text}} NOT NULL UNIQUE,
	folded  {{text}} NOT NULL UNIQUE,
	created {{int}} NOT NULL
){{strict}};

CREATE TABLE members (
	grp {{int}} NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
	usr {{int}} NOT NULL REFERENCES users (id),
	PRIMARY KEY (grp, usr)
){{strict}};
CREATE INDEX members_usr ON members (usr, grp);

CREATE TABLE invitations (
	id      {{id}},
	hash    {{blob}} NOT NULL UNIQUE,
	role    {{int}} NOT NULL,
	grp     {{int}} REFERENCES groups (id) ON DELETE SET NULL,
	note    {{text}} NOT NULL,
	made_by {{int}} REFERENCES users (id),
	created {{int}} NOT NULL,
	expires {{int}} NOT NULL,
	taken   {{int}} REFERENCES users (id)
){{strict}};

CREATE TABLE sessions (
	id      {{id}},
	hash    {{blob}} NOT NULL UNIQUE,
	usr     {{int}} NOT NULL REFERENCES users (id),
	created {{int}} NOT NULL,
	seen    {{int}} NOT NULL,
	expires {{int}} NOT NULL,
	agent   {{text}} NOT NULL,
	remote  {{text}} NOT NULL
){{strict}};
CREATE INDEX sessions_usr ON sessions (usr);
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE tokens (
	id      {{id}},
	hash    {{blob}} NOT NULL UNIQUE,
	usr     {{int}} NOT NULL REFERENCES users (id),
	name    {{text}} NOT NULL,
	rights  {{int}} NOT NULL,
	server  {{int}} NOT NULL,
	created {{int}} NOT NULL,
	seen    {{int}} NOT NULL,
	expires {{int}} NOT NULL
){{strict}};
CREATE INDEX tokens_usr ON tokens (usr);

CREATE TABLE attempts (
	name  {{text}} PRIMARY KEY,
	tries {{int}} NOT NULL,
	last  {{int}} NOT NULL
){{strict}};
CREATE INDEX attempts_last ON attempts (last);

CREATE TABLE audit (
	seq     {{int}} PRIMARY KEY,
	at      {{int}} NOT NULL,
	usr     {{int}} NOT NULL, -- not a reference: the log outlives what it tells of
	actor   {{text}} NOT NULL,
	action  {{text}} NOT NULL,
	object  {{text}} NOT NULL,
	outcome {{text}} NOT NULL,
	remote  {{text}} NOT NULL,
	request {{text}} NOT NULL,
	detail  {{text}} NOT NULL,
	hash    {{blob}} NOT NULL
){{strict}};
CREATE INDEX audit_usr ON audit (usr, seq);
CREATE INDEX audit_action ON audit (action, seq);
CREATE INDEX audit_at ON audit (at);

CREATE TABLE audit_head (
	one  {{int}} PRIMARY KEY CHECK (one = 1),
	seq  {{int}} NOT NULL,
	hash {{blob}} NOT NULL
){{strict}};
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, {{zero}});
