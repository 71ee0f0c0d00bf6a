// Package server shows a run to browsers, scripts and Prometheus over HTTP: a page, its
// JSON, metrics and a health check. It only reads; nothing can be changed through it.
package server
