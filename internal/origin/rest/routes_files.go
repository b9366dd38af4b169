package rest

import "tandem/internal/origin/api"

const (
	inCollection   = v1 + "collections/{collection}/"
	torrentPattern = "/s/{token}.torrent"
)

// versionChoice is the body of POST .../versions/{path}.
type versionChoice struct {
	ID int64 `json:"id"`
}

func treeRoutes() []*route {
	entries, trash := inCollection+"entries/{path...}", inCollection+"trash"
	return []*route{
		{method: "GET", pattern: entries, does: "A folder, a page at a time; of a file, the file alone. recursive=1 gives all below as lines of Entry (" + typeNDJSON + ")", auth: account, query: append(pageParams("name"), param{name: "recursive", does: "1: everything below, in one answer"}), out: api.Listing{}, serve: (*exchange).list},
		{method: "POST", pattern: entries, does: "Makes a folder and those above it", auth: account, out: api.Entry{}, status: 201, serve: (*exchange).makeFolder},
		{method: "PATCH", pattern: entries, does: "Renames or moves within the collection", auth: account, in: api.EntryChange{}, out: api.Entry{}, serve: (*exchange).move},
		{method: "DELETE", pattern: entries, does: "Moves to the trash; the answer has the number to restore it by", auth: account, out: api.Trashed{}, serve: (*exchange).trash},
		{method: "GET", pattern: trash, does: "What is in the trash", auth: account, query: pageParams("id"), out: []api.Trashed{}, serve: (*exchange).trashList},
		{method: "POST", pattern: trash + "/{id}/restore", does: "Takes something back from the trash, under a free name", auth: account, out: api.Entry{}, serve: (*exchange).restore},
		{method: "DELETE", pattern: trash + "/{id}", does: "Removes something in the trash for good", auth: account, status: 204, serve: (*exchange).purge},
		{method: "GET", pattern: inCollection + "versions/{path...}", does: "What a file has been, the newest first", auth: account, out: []api.Version{}, serve: (*exchange).versions},
		{method: "POST", pattern: inCollection + "versions/{path...}", does: "Makes a copy of an older version the current one", auth: account, in: versionChoice{}, out: api.Entry{}, serve: (*exchange).restoreVersion},
	}
}

func contentRoutes() []*route {
	content := inCollection + "content/{path...}"
	version := []param{{name: "version", does: "an older version, by number"}}
	return []*route{
		{method: "GET", pattern: content, does: "The bytes of a file; ranges and conditions as in RFC 9110", auth: account, query: version, gives: typeBytes, serve: (*exchange).download},
		{method: "HEAD", pattern: content, does: "The same without the bytes", auth: account, query: version, gives: typeBytes, serve: (*exchange).download},
		{method: "PUT", pattern: content, does: "Stores a file; needs Content-Length. 201 when the name was free", auth: account, takes: typeBytes, out: api.Entry{}, serve: (*exchange).put, query: []param{
			{name: "modified", does: "when the file was last changed, RFC 3339"},
			{name: "Repr-Digest", does: "sha-256 of the content, checked (RFC 9530)", header: true},
			{name: "Content-Digest", does: "the same", header: true},
			{name: "If-Match", does: "only when the file is this now", header: true},
			{name: "If-None-Match", does: "*: only when the name is free", header: true},
		}},
		{method: "GET", pattern: inCollection + "archive/{path...}", does: "A folder as one file", auth: account, query: archiveParams(), gives: typeZip, serve: (*exchange).archive},
		{method: "POST", pattern: inCollection + "batch/{path...}", does: "Stores many small files, as a tar of at most 1,024 files of 256 KiB each and 16 MiB together; each stands or falls alone. A PAX record TANDEM.sha256 (hex) is checked", auth: account, takes: typeTar, out: []api.BatchResult{}, serve: (*exchange).batch},
		{method: "POST", pattern: inCollection + "fetch/{path...}", does: "Named small files below a folder, as a tar; missing ones are left out", auth: account, in: api.Fetch{}, gives: typeTar, serve: (*exchange).fetch},
	}
}

func archiveParams() []param { return []param{{name: "format", does: "zip or tar; default zip"}} }

func linkRoutes() []*route {
	shared := v1 + "shared/{token}"
	return []*route{
		{method: "GET", pattern: v1 + "links", does: "The caller's links, or all on a collection", auth: account, query: []param{{name: "collection", does: "all links on this one"}}, out: []api.Link{}, serve: (*exchange).links},
		{method: "POST", pattern: v1 + "links", does: "Makes a link", auth: account, in: api.NewLink{}, out: api.Link{}, status: 201, serve: (*exchange).createLink},
		{method: "GET", pattern: v1 + "links/{id}", does: "One link", auth: account, out: api.Link{}, serve: (*exchange).link},
		{method: "PATCH", pattern: v1 + "links/{id}", does: "Changes a link; what is absent stays", auth: account, in: api.LinkChange{}, out: api.Link{}, serve: (*exchange).updateLink},
		{method: "DELETE", pattern: v1 + "links/{id}", does: "Ends a link, and what is being taken by it", auth: account, status: 204, serve: (*exchange).revokeLink},

		{method: "GET", pattern: shared, does: "What a link leads to", auth: byLink, out: api.Shared{}, serve: (*exchange).shared},
		{method: "GET", pattern: shared + "/entries/{path...}", does: "A folder below a link", auth: byLink, query: append(pageParams("name"), param{name: "recursive", does: "1: everything below, in one answer"}), out: api.Listing{}, serve: (*exchange).list},
		{method: "GET", pattern: shared + "/archive/{path...}", does: "A folder below a link as one file", auth: byLink, query: archiveParams(), gives: typeZip, serve: (*exchange).archive},
		{method: "POST", pattern: shared + "/fetch/{path...}", does: "Named small files below a link, as a tar", auth: byLink, in: api.Fetch{}, gives: typeTar, serve: (*exchange).fetch},

		{method: "GET", pattern: "/s/{token}/download", does: "A link's file, or its folder as a zip", auth: byLink, gives: typeBytes, browsed: true, serve: (*exchange).downloadLink},
		{method: "HEAD", pattern: "/s/{token}/download", does: "The same without the bytes", auth: byLink, gives: typeBytes, browsed: true, serve: (*exchange).downloadLink},
		{method: "GET", pattern: "/s/{token}/files/{path...}", does: "A file below a link's folder, or a folder as a zip", auth: byLink, gives: typeBytes, browsed: true, serve: (*exchange).downloadLink},
		{method: "HEAD", pattern: "/s/{token}/files/{path...}", does: "The same without the bytes", auth: byLink, gives: typeBytes, browsed: true, serve: (*exchange).downloadLink},
		{method: "GET", pattern: torrentPattern, does: "The .torrent of a public link; 423 while it is being made", auth: byLink, gives: "application/x-bittorrent", browsed: true, serve: (*exchange).torrent},
	}
}

func auditRoutes() []*route {
	return []*route{
		{method: "GET", pattern: v1 + "audit", does: "The audit log, oldest first, one AuditEntry a line", auth: account, out: api.AuditEntry{}, gives: typeNDJSON, serve: (*exchange).audit, query: []param{
			{name: "after", does: "the number behind which to begin"},
			{name: "user", does: "only this one's"},
			{name: "action", does: "only this one"},
			{name: "since", does: "not before, RFC 3339"},
			{name: "until", does: "before, RFC 3339"},
			{name: "limit", does: "at most so many; default all"},
		}},
		{method: "GET", pattern: v1 + "audit/verify", does: "Checks that every audit entry follows from the one before", auth: account, out: api.AuditReport{}, serve: (*exchange).verifyAudit},
	}
}

// tusRoutes are those of resumable uploads. They stand below a link too, where
// the cookie that proves its password is sent along.
func tusRoutes(root string, by auth) []*route {
	tus := []param{{name: "Tus-Resumable", does: "1.0.0", header: true}}
	if by == accountOrLink {
		tus = append(tus, param{name: "Tandem-Link", does: "token of an upload link, instead of an account", header: true})
	}
	with := func(more ...param) []param { return append(tus[:len(tus):len(tus)], more...) }
	offset := param{name: "Upload-Offset", does: "where the body begins", header: true}
	checksum := param{name: "Upload-Checksum", does: "sha1 or sha256 and the digest of the body in base64; 460 when wrong", header: true}
	return []*route{
		{method: "OPTIONS", pattern: root, does: "Says which parts of tus 1.0 are there", status: 204, serve: (*exchange).tusOptions},
		{method: "POST", pattern: root, does: "Begins an upload, perhaps with its first bytes", auth: by, status: 201, takes: typeChunk, serve: (*exchange).tusCreate, query: with(
			param{name: "Upload-Length", does: "size of the whole", header: true},
			param{name: "Upload-Metadata", does: "path; collection, unless by a link; sha256 (hex), modified (RFC 3339), if_absent", header: true},
			checksum,
		)},
		{method: "HEAD", pattern: root + "/{id}", does: "How far an upload is; takes it over from a connection that is dead", auth: by, query: tus, serve: (*exchange).tusHead},
		{method: "PATCH", pattern: root + "/{id}", does: "Goes on with an upload; the last byte makes the file", auth: by, status: 204, takes: typeChunk, query: with(offset, checksum), serve: (*exchange).tusPatch},
		{method: "DELETE", pattern: root + "/{id}", does: "Gives an upload up", auth: by, status: 204, query: tus, serve: (*exchange).tusDelete},
		{method: "POST", pattern: root + "/{id}", does: "What X-HTTP-Method-Override says: PATCH, DELETE or HEAD", auth: by, status: 204, takes: typeChunk, query: with(offset, param{name: "X-HTTP-Method-Override", does: "the method meant", header: true}), serve: (*exchange).tusOverride},
	}
}
