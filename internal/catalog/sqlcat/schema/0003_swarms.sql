-- What a server knows of swarms: metadata of links, piece layers, what it allowed and took
-- back, who gave how much to whom, and who keeps copies.

ALTER TABLE links ADD COLUMN copies {{int}} NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN v1_only {{int}} NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN pending {{text}} NOT NULL DEFAULT ''; -- names with / between them; '': it has its node
ALTER TABLE links ADD COLUMN share {{blob}};
ALTER TABLE links ADD COLUMN key1 {{blob}}; -- v1 info-hash
ALTER TABLE links ADD COLUMN key2 {{blob}}; -- truncated v2 info-hash
ALTER TABLE links ADD COLUMN print {{blob}};
ALTER TABLE links ADD COLUMN total {{int}} NOT NULL DEFAULT 0;
CREATE INDEX links_key1 ON links (key1) WHERE key1 IS NOT NULL;
CREATE INDEX links_key2 ON links (key2) WHERE key2 IS NOT NULL;
CREATE INDEX links_pending ON links (id) WHERE pending <> '';
CREATE INDEX links_copies ON links (id) WHERE copies > 0;

CREATE TABLE layers (
	root  {{blob}} NOT NULL REFERENCES contents (root) ON DELETE CASCADE,
	piece {{int}} NOT NULL, -- length
	layer {{blob}} NOT NULL,
	PRIMARY KEY (root, piece)
){{strict}};

-- In these tables 0 is nobody, so that it can be part of a key.
CREATE TABLE sources (
	id         {{blob}} PRIMARY KEY,
	link       {{int}} NOT NULL,
	usr        {{int}} NOT NULL,
	session    {{int}} NOT NULL,
	token      {{int}} NOT NULL,
	collection {{int}} NOT NULL,
	terms      {{blob}} NOT NULL,
	created    {{int}} NOT NULL,
	not_after  {{int}} NOT NULL,
	denied     {{int}} NOT NULL,
	denial     {{blob}}
){{strict}};
CREATE INDEX sources_of ON sources (link, usr, session, token, collection) WHERE denied = 0;
CREATE INDEX sources_not_after ON sources (not_after);

CREATE TABLE issued (
	source    {{blob}} NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
	share     {{blob}} NOT NULL,
	node      {{blob}} NOT NULL,
	not_after {{int}} NOT NULL,
	PRIMARY KEY (source, share, node)
){{strict}};
CREATE INDEX issued_share ON issued (share, source);
CREATE INDEX issued_not_after ON issued (not_after);

CREATE TABLE ledger (
	share      {{blob}} NOT NULL,
	node       {{blob}} NOT NULL,
	usr        {{int}} NOT NULL,
	link       {{int}} NOT NULL,
	name       {{text}} NOT NULL,
	server     {{int}} NOT NULL,
	lan        {{int}} NOT NULL,
	peers      {{int}} NOT NULL,
	said_lan   {{int}} NOT NULL, -- what the node said last
	said_peers {{int}} NOT NULL,
	updated    {{int}} NOT NULL,
	PRIMARY KEY (share, node, usr, link)
){{strict}};
CREATE INDEX ledger_usr ON ledger (usr);
CREATE INDEX ledger_link ON ledger (link);
CREATE INDEX ledger_updated ON ledger (updated);

CREATE TABLE keepers (
	node    {{blob}} PRIMARY KEY,
	usr     {{int}} NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	space   {{int}} NOT NULL,
	created {{int}} NOT NULL,
	seen    {{int}} NOT NULL
){{strict}};
CREATE INDEX keepers_usr ON keepers (usr);

CREATE TABLE kept (
	node  {{blob}} NOT NULL REFERENCES keepers (node) ON DELETE CASCADE,
	link  {{int}} NOT NULL REFERENCES links (id) ON DELETE CASCADE,
	share {{blob}} NOT NULL,
	size  {{int}} NOT NULL,
	since {{int}} NOT NULL,
	PRIMARY KEY (node, link)
){{strict}};
CREATE INDEX kept_link ON kept (link);
