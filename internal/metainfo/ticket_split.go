package metainfo

import "strings"

// SplitLink takes apart what a server hands out for a share link: the URL that
// leads to it, and behind the #, which browsers keep to themselves, a ticket or
// magnet link. What else stands behind it belongs to a page and is left out. Both are
// empty for a text that is no http or https URL, which no check but this was made of.
func SplitLink(text string) (url, fragment string) {
	url, fragment, _ = strings.Cut(text, "#")
	if !hasPrefixFold(url, "https://") && !hasPrefixFold(url, "http://") {
		return "", ""
	}
	if !strings.HasPrefix(fragment, ticketScheme) && !hasPrefixFold(fragment, "magnet:?") {
		fragment = ""
	}
	return url, fragment
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
