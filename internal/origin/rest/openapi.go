package rest

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"

	"tandem/internal/origin/api"
)

// object is a JSON object; encoding/json writes its keys in order, so that the
// document is the same in every build.
type object = map[string]any

// document returns the OpenAPI 3.1 document of a table of routes.
func document(table []*route, version string) []byte {
	if version == "" {
		version = "0"
	}
	s := schemas{}
	problem := s.of(reflect.TypeFor[api.Problem]())
	paths := object{}
	for _, rt := range table {
		path := strings.ReplaceAll(rt.pattern, "...}", "}")
		item, ok := paths[path].(object)
		if !ok {
			item = object{}
			paths[path] = item
		}
		item[strings.ToLower(rt.method)] = rt.operation(s, problem)
	}
	doc := object{
		"openapi": "3.1.0",
		"info": object{
			"title": "tandem", "version": version,
			"description": "Files of a tandem server. Times are RFC 3339 in UTC, sizes bytes, hashes lower-case hex. " +
				"Unknown fields in requests are refused. A path parameter called path may hold slashes and may be empty.",
		},
		"paths": paths,
		"components": object{
			"schemas": s,
			"securitySchemes": object{
				"bearer":   object{"type": "http", "scheme": "bearer", "description": "secret of a session or an API token"},
				"cookie":   object{"type": "apiKey", "in": "cookie", "name": sessionCookie, "description": "of a browser; " + secureSessionCookie + " under TLS"},
				"password": object{"type": "http", "scheme": "basic", "description": "password of a link, with any user name"},
				"link":     object{"type": "apiKey", "in": "header", "name": "Tandem-Link", "description": "token of an upload link"},
			},
		},
	}
	b, err := json.Marshal(doc)
	if err != nil { // everything in it was made here
		panic(err)
	}
	return append(b, '\n')
}

// operation describes one route.
func (rt *route) operation(s schemas, problem object) object {
	op := object{
		"operationId": operationID(rt),
		"summary":     rt.does + ".",
		"responses": object{
			strconv.Itoa(rt.status): rt.answer(s),
			"default": object{
				"description": "What went wrong (RFC 9457).",
				"content":     object{"application/problem+json": object{"schema": problem}},
			},
		},
		"security": rt.security(),
	}
	if params := rt.parameters(); len(params) > 0 {
		op["parameters"] = params
	}
	switch {
	case rt.in != nil:
		op["requestBody"] = object{"required": true, "content": object{typeJSON: object{"schema": s.of(reflect.TypeOf(rt.in))}}}
	case rt.takes != "":
		op["requestBody"] = object{"content": object{rt.takes: object{"schema": object{}}}}
	}
	return op
}

func (rt *route) answer(s schemas) object {
	a := object{"description": "Done."}
	switch {
	case rt.method == "HEAD":
		a["description"] = "The header alone."
	case rt.out != nil && rt.gives == "":
		a["description"] = "What was asked for."
		a["content"] = object{typeJSON: object{"schema": s.of(reflect.TypeOf(rt.out))}}
	case rt.out != nil: // lines of it
		a["description"] = "One value a line."
		a["content"] = object{rt.gives: object{"schema": s.of(reflect.TypeOf(rt.out))}}
	case rt.gives != "":
		a["description"] = "The content."
		a["content"] = object{rt.gives: object{"schema": object{}}}
	}
	return a
}

func (rt *route) security() []object {
	switch rt.auth {
	case account:
		return []object{{"bearer": []string{}}, {"cookie": []string{}}}
	case byLink:
		return []object{{}, {"password": []string{}}}
	case accountOrLink:
		return []object{{"bearer": []string{}}, {"cookie": []string{}}, {"link": []string{}}}
	}
	return []object{}
}

func (rt *route) parameters() (list []object) {
	for _, part := range strings.Split(rt.pattern, "{")[1:] {
		name, _, _ := strings.Cut(part, "}")
		name = strings.TrimSuffix(name, "...")
		list = append(list, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, p := range rt.query {
		in := "query"
		if p.header {
			in = "header"
		}
		list = append(list, object{"name": p.name, "in": in, "description": p.does, "schema": object{"type": "string"}})
	}
	return list
}

// operationID is the route's name to generated clients.
func operationID(rt *route) string {
	path := strings.TrimPrefix(rt.pattern, v1)
	path = strings.NewReplacer("...", "", "{", "by_", "}", "", "/", "_", ".", "_", "-", "_").Replace(strings.Trim(path, "/"))
	return strings.ToLower(rt.method) + "_" + path
}

// schemas are the shapes of the document by name.
type schemas map[string]object

// of returns the schema of t; a struct with a name becomes a component.
func (s schemas) of(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return s.of(t.Elem())
	case t.Kind() == reflect.Struct:
		return s.component(t)
	}
	switch t.Kind() {
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "contentEncoding": "base64"}
		}
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map, reflect.Interface:
		return object{"type": "object"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint16:
		return object{"type": "integer", "format": "int64"}
	case reflect.Float64:
		return object{"type": "number"}
	}
	panic("no schema for " + t.String()) // a shape that package api must not have
}

func (s schemas) component(t reflect.Type) object {
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	ref := object{"$ref": "#/components/schemas/" + name}
	if _, ok := s[name]; ok {
		return ref
	}
	properties, required := object{}, []string{}
	s[name] = object{"type": "object", "properties": properties, "additionalProperties": false}
	for i := range t.NumField() {
		field := t.Field(i)
		key, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		properties[key] = s.of(field.Type)
		if options != "omitempty" && options != "omitzero" {
			required = append(required, key)
		}
	}
	if len(required) > 0 {
		s[name]["required"] = required
	}
	return ref
}
