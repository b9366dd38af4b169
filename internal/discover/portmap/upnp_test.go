package portmap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"tandem/internal/discover"
	"tandem/internal/fault"
)

const description = `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>%s
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><friendlyName>Box&#x202e;1</friendlyName><UDN>uuid:1</UDN>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><UDN>uuid:2</UDN>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><UDN>uuid:3</UDN>
<serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<SCPDURL>/scpd</SCPDURL><controlURL>%s</controlURL><eventSubURL>/event</eventSubURL></service></serviceList>
</device></deviceList></device></deviceList></device></root>`

const envelope = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>%s</s:Body></s:Envelope>`

// box is a UPnP router.
type box struct {
	srv     *httptest.Server
	base    string // URLBase of the description
	control string // its control URL
	fault   string // UPnP error code of AddPortMapping with a lease; "" for none
	calls   []string
}

func newBox(t *testing.T) *box {
	b := &box{control: "/control"}
	b.srv = httptest.NewServer(b)
	t.Cleanup(b.srv.Close)
	return b
}

func (b *box) at() *url.URL {
	u, _ := url.Parse(b.srv.URL + "/desc.xml")
	return u
}

func (b *box) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/desc.xml" {
		fmt.Fprintf(w, description, b.base, b.control)
		return
	}
	body, _ := io.ReadAll(r.Body)
	_, action, _ := strings.Cut(strings.Trim(r.Header.Get("Soapaction"), `"`), "#")
	arg := func(name string) string {
		_, v, _ := strings.Cut(string(body), "<"+name+">")
		v, _, _ = strings.Cut(v, "<")
		return v
	}
	b.calls = append(b.calls, strings.TrimSpace(fmt.Sprintln(action, arg("NewProtocol"), arg("NewExternalPort"), arg("NewInternalPort"), arg("NewInternalClient"), arg("NewLeaseDuration"))))
	ns := `xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1"`
	switch {
	case action == "AddPortMapping" && b.fault != "" && arg("NewLeaseDuration") != "0":
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, envelope, `<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>`+b.fault+`</errorCode><errorDescription>&#x202e;</errorDescription></UPnPError></detail></s:Fault>`)
	case action == "GetExternalIPAddress":
		fmt.Fprintf(w, envelope, `<u:GetExternalIPAddressResponse `+ns+`><NewExternalIPAddress>203.0.113.5</NewExternalIPAddress></u:GetExternalIPAddressResponse>`)
	default:
		fmt.Fprintf(w, envelope, `<u:`+action+`Response `+ns+`></u:`+action+`Response>`)
	}
}

func TestUPnP(t *testing.T) {
	b := newBox(t)
	gws, err := describe(t.Context(), b.at())
	if err != nil || len(gws) != 1 || gws[0].Name() != "UPnP (Box?1)" {
		t.Fatal(gws, err)
	}
	ext, granted, err := gws[0].Map(t.Context(), "tcp", 6881, time.Hour)
	if err != nil || ext != netip.MustParseAddrPort("203.0.113.5:6881") || granted != time.Hour {
		t.Fatal(ext, granted, err)
	}
	if err := gws[0].Unmap(t.Context(), "udp", 6881); err != nil {
		t.Fatal(err)
	}
	expect(t, "asked", b.calls, "AddPortMapping TCP 6881 6881 127.0.0.1 3600", "GetExternalIPAddress", "DeletePortMapping UDP 6881")
}

func TestUPnPWithoutFiniteLeases(t *testing.T) {
	b := newBox(t)
	b.fault = onlyForever
	gws, err := describe(t.Context(), b.at())
	if err != nil {
		t.Fatal(err)
	}
	if _, granted, err := gws[0].Map(t.Context(), "tcp", 6881, time.Hour); err != nil || granted != 0 {
		t.Fatal(granted, err)
	}
}

func TestUPnPErrorsAreNamedByNumber(t *testing.T) {
	b := newBox(t)
	b.fault = "718"
	gws, err := describe(t.Context(), b.at())
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = gws[0].Map(t.Context(), "tcp", 6881, time.Hour)
	if !errors.Is(err, fault.Refused) || err.Error() != "router answers UPnP error 718" {
		t.Fatal(err)
	}
	b.srv.Close()
	if _, _, err = gws[0].Map(t.Context(), "tcp", 6881, time.Hour); !errors.Is(err, fault.Unreachable) {
		t.Fatal(err)
	}
}

// A description cannot point us at another host, nor fill the memory.
func TestUPnPKeepsToTheRouter(t *testing.T) {
	asked := false
	victim := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(victim.Close)
	for _, c := range []struct {
		name string
		edit func(b *box)
	}{
		{"a control URL elsewhere", func(b *box) { b.control = victim.URL + "/admin" }},
		{"a base elsewhere", func(b *box) { b.base = "<URLBase>" + victim.URL + "/</URLBase>" }},
	} {
		b := newBox(t)
		c.edit(b)
		gws, err := describe(t.Context(), b.at())
		for _, gw := range gws {
			if _, _, err := gw.Map(t.Context(), "tcp", 6881, time.Hour); err == nil {
				t.Errorf("%s: mapped", c.name)
			}
		}
		if len(gws) == 0 && err == nil {
			t.Errorf("%s: neither router nor error", c.name)
		}
	}
	redirect := httptest.NewServer(http.RedirectHandler(victim.URL, http.StatusFound))
	t.Cleanup(redirect.Close)
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<root>")
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("<x>", 10000)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(endless.Close)
	for _, srv := range []*httptest.Server{redirect, endless} {
		u, _ := url.Parse(srv.URL)
		if gws, err := describe(t.Context(), u); err == nil {
			t.Errorf("%v: %v", u, gws)
		}
	}
	if asked {
		t.Error("the other host was asked")
	}
}

func TestLocation(t *testing.T) {
	from := netip.MustParseAddr("192.168.1.1")
	for text, want := range map[string]bool{
		"HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1:5000/desc.xml\r\n\r\n":   true,
		"HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.2:5000/desc.xml\r\n\r\n":   false, // another host
		"HTTP/1.1 200 OK\r\nLOCATION: http://router.test/desc.xml\r\n\r\n":        false,
		"HTTP/1.1 200 OK\r\nLOCATION: https://192.168.1.1/desc.xml\r\n\r\n":       false,
		"HTTP/1.1 200 OK\r\nLOCATION: http://u:p@192.168.1.1/desc.xml\r\n\r\n":    false,
		"HTTP/1.1 404 Not Found\r\nLOCATION: http://192.168.1.1/desc.xml\r\n\r\n": false,
		"HTTP/1.1 200 OK\r\n\r\n": false,
		"garbage":                 false,
	} {
		if u, ok := location([]byte(text), from); ok != want {
			t.Errorf("%q: %v", text, u)
		}
	}
	global := "HTTP/1.1 200 OK\r\nLOCATION: http://8.8.8.8/desc.xml\r\n\r\n"
	if _, ok := location([]byte(global), netip.MustParseAddr("8.8.8.8")); ok {
		t.Error("a router on the Internet was believed")
	}
}

func FuzzLocation(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1:5000/desc.xml\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		u, ok := location(b, netip.MustParseAddr("192.168.1.1"))
		if ok && (u.Hostname() != "192.168.1.1" || u.Scheme != "http" || discover.IsGlobal(netip.MustParseAddr(u.Hostname()))) {
			t.Fatalf("%v", u)
		}
	})
}

// The real search, with whatever network this machine has, ends in time.
func TestRealSearchEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	find(ctx)
	if d := time.Since(start); d > 5*time.Second {
		t.Fatalf("took %v", d)
	}
}
