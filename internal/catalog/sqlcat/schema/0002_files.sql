-- Collections and their grants, the tree of names, versions, contents, uploads and links.

CREATE TABLE collections (
	id            {{id}},
	name          {{text}} NOT NULL UNIQUE,
	folded        {{text}} NOT NULL UNIQUE,
	owner         {{int}} NOT NULL REFERENCES users (id),
	root          {{int}} NOT NULL, -- a node
	quota         {{int}} NOT NULL,
	used          {{int}} NOT NULL DEFAULT 0, -- bytes of all versions
	reserved      {{int}} NOT NULL DEFAULT 0, -- bytes of uploads on their way
	files         {{int}} NOT NULL DEFAULT 0, -- also those in the trash, as is
	folders       {{int}} NOT NULL DEFAULT 0, -- not counting the root
	created       {{int}} NOT NULL,
	keep_trash    {{int}} NOT NULL,
	keep_versions {{int}} NOT NULL
){{strict}};
CREATE INDEX collections_owner ON collections (owner);

CREATE TABLE grants (
	id         {{id}},
	collection {{int}} NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
	usr        {{int}} REFERENCES users (id) ON DELETE CASCADE,  -- one of
	grp        {{int}} REFERENCES groups (id) ON DELETE CASCADE, -- these two
	rights     {{int}} NOT NULL,
	not_after  {{int}} NOT NULL,
	CHECK ((usr IS NULL) <> (grp IS NULL))
){{strict}};
CREATE UNIQUE INDEX grants_usr ON grants (collection, usr) WHERE usr IS NOT NULL;
CREATE UNIQUE INDEX grants_grp ON grants (collection, grp) WHERE grp IS NOT NULL;
CREATE INDEX grants_of_usr ON grants (usr) WHERE usr IS NOT NULL;
CREATE INDEX grants_of_grp ON grants (grp) WHERE grp IS NOT NULL;

-- Files and folders. A reference from parent to id would be looked at for each
-- row that goes; Check looks for orphans instead.
CREATE TABLE nodes (
	id         {{id}},
	collection {{int}} NOT NULL,
	parent     {{int}}, -- NULL: the root of its collection
	name       {{text}} NOT NULL,
	folded     {{text}} NOT NULL, -- for Search
	folder     {{int}} NOT NULL,
	created    {{int}} NOT NULL,
	trashed    {{int}} NOT NULL DEFAULT 0,
	trashed_by {{int}}
){{strict}};
-- Each node is in one of these two: names are unique among those not in the trash.
CREATE UNIQUE INDEX nodes_name ON nodes (parent, name) WHERE trashed = 0;
CREATE INDEX nodes_trashed_below ON nodes (parent, id) WHERE trashed <> 0;
CREATE INDEX nodes_folded ON nodes (collection, folded) WHERE trashed = 0;
CREATE INDEX nodes_trash ON nodes (collection, id) WHERE trashed <> 0;
CREATE INDEX nodes_trash_time ON nodes (collection, trashed, id) WHERE trashed <> 0;

CREATE TABLE versions (
	id         {{id}},
	node       {{int}} NOT NULL,
	collection {{int}} NOT NULL, -- of the node, which never leaves it
	root       {{blob}} NOT NULL,
	sha256     {{blob}} NOT NULL,
	size       {{int}} NOT NULL,
	made_by    {{int}} NOT NULL,
	via        {{int}},
	modified   {{int}} NOT NULL,
	created    {{int}} NOT NULL,
	replaced   {{int}} NOT NULL DEFAULT 0 -- when a newer one came; 0: this is the current one
){{strict}};
CREATE INDEX versions_node ON versions (node, replaced);
CREATE INDEX versions_replaced ON versions (collection, replaced, id) WHERE replaced <> 0;

CREATE TABLE contents (
	root    {{blob}} PRIMARY KEY,
	sha256  {{blob}} NOT NULL,
	size    {{int}} NOT NULL,
	state   {{int}} NOT NULL,
	uses    {{int}} NOT NULL DEFAULT 0, -- versions that name it
	created {{int}} NOT NULL,
	checked {{int}} NOT NULL DEFAULT 0
){{strict}};
CREATE INDEX contents_unused ON contents (created, root) WHERE uses = 0;
CREATE INDEX contents_checked ON contents (checked, created, root) WHERE state = 1; -- what is new comes last

CREATE TABLE uploads (
	id         {{text}} PRIMARY KEY,
	usr        {{int}} NOT NULL,
	via        {{int}},
	collection {{int}} NOT NULL,
	path       {{text}} NOT NULL, -- names with / between them
	size       {{int}} NOT NULL,
	want       {{blob}} NOT NULL,
	modified   {{int}} NOT NULL,
	if_absent  {{int}} NOT NULL,
	renames    {{int}} NOT NULL,
	created    {{int}} NOT NULL,
	updated    {{int}} NOT NULL,
	expires    {{int}} NOT NULL,
	arrived    {{int}} NOT NULL, -- durable bytes
	state      {{blob}},
	epoch      {{int}} NOT NULL,
	node       {{int}} -- NULL: not finished
){{strict}};
CREATE INDEX uploads_usr ON uploads (usr) WHERE node IS NULL;
CREATE INDEX uploads_expires ON uploads (expires, id);

CREATE TABLE links (
	id            {{id}},
	token         {{text}} NOT NULL UNIQUE,
	kind          {{text}} NOT NULL,
	node          {{int}} NOT NULL, -- may be gone: the link then says so
	collection    {{int}} NOT NULL,
	audience      {{int}} NOT NULL,
	made_by       {{int}} NOT NULL,
	created       {{int}} NOT NULL,
	expires       {{int}} NOT NULL,
	password      {{text}} NOT NULL,
	max_downloads {{int}} NOT NULL,
	downloads     {{int}} NOT NULL DEFAULT 0,
	max_bytes     {{int}} NOT NULL,
	bytes         {{int}} NOT NULL DEFAULT 0,
	note          {{text}} NOT NULL,
	revoked       {{int}} NOT NULL,
	torrent_state {{int}} NOT NULL,
	torrent       {{blob}}
){{strict}};
CREATE INDEX links_made_by ON links (made_by, id);
CREATE INDEX links_collection ON links (collection, id);
CREATE INDEX links_wanted ON links (id) WHERE torrent_state = 1;

-- Downloads of limited links that may be gone on with.
CREATE TABLE link_downloads (
	link    {{int}} NOT NULL REFERENCES links (id) ON DELETE CASCADE,
	remote  {{text}} NOT NULL,
	size    {{int}} NOT NULL,
	had     {{int}} NOT NULL,
	expires {{int}} NOT NULL,
	PRIMARY KEY (link, remote)
){{strict}};
CREATE INDEX link_downloads_expires ON link_downloads (expires);
