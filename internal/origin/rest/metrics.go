package rest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics counts requests by route, never by user, file or address: their
// number would grow with the users.
type metrics struct {
	registry *prometheus.Registry
	serve    http.Handler

	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	sent     prometheus.Counter
	received prometheus.Counter
	running  prometheus.Gauge
	slow     prometheus.Counter
	cut      prometheus.Counter
	panics   prometheus.Counter

	elsewhere prometheus.Counter
}

// counters are a route's, looked up once.
type counters struct {
	class   [6]prometheus.Counter // by the first digit of the status
	seconds prometheus.Observer
}

func newMetrics(r *prometheus.Registry, connections, waiting func() int) *metrics {
	own := r == nil
	if own {
		r = prometheus.NewRegistry()
	}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	m := &metrics{
		registry: r,
		serve:    promhttp.HandlerFor(r, promhttp.HandlerOpts{}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tandem_http_requests_total", Help: "Requests answered, by route, method and class of status.",
		}, []string{"route", "method", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tandem_http_request_seconds", Help: "Time from the header of a request to the end of its answer.",
			Buckets: []float64{.0005, .002, .01, .05, .2, 1, 5, 30, 300},
		}, []string{"route", "method"}),
		sent:     counter("tandem_http_sent_bytes_total", "Bytes of answers' bodies given to the system."),
		received: counter("tandem_http_received_bytes_total", "Bytes of requests' bodies read."),
		running: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tandem_http_requests_running", Help: "Requests being answered.",
		}),
		slow:   counter("tandem_http_slow_connections_total", "Connections closed because the client moved too little."),
		cut:    counter("tandem_http_cut_total", "Answers ended because the permission ended."),
		panics: counter("tandem_http_panics_total", "Requests that met a fault of the program."),

		elsewhere: counter("tandem_origin_elsewhere_total", "Requests for content whose node was pointed to others, or to a later time."),
	}
	r.MustRegister(m.requests, m.seconds, m.running, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tandem_http_connections", Help: "Open connections.",
	}, func() float64 { return float64(connections()) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tandem_origin_waiting", Help: "Answers with content that wait for their turn.",
	}, func() float64 { return float64(waiting()) }))
	if own {
		r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	return m
}

func (m *metrics) route(pattern, method string) *counters {
	c := &counters{seconds: m.seconds.WithLabelValues(pattern, method)}
	for i := range c.class {
		c.class[i] = m.requests.WithLabelValues(pattern, method, strconv.Itoa(i)+"xx")
	}
	return c
}

func (m *metrics) count(c *counters, x *exchange, took time.Duration) {
	if class := x.status / 100; class >= 1 && class < len(c.class) {
		c.class[class].Inc()
	}
	c.seconds.Observe(took.Seconds())
	m.sent.Add(float64(x.sent))
	if b, ok := x.r.Body.(*body); ok {
		m.received.Add(float64(b.count.Load()))
	}
}
