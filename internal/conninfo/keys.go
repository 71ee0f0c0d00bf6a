package conninfo

import "slices"

// keys are libpq's connection parameters. libpq refuses others, and so would
// the pg_dump that is given the same string.
var keys = []string{
	"application_name", "authtype", "channel_binding", "client_encoding", "connect_timeout", "dbname",
	"fallback_application_name", "gssdelegation", "gssencmode", "gsslib", "host", "hostaddr", "keepalives",
	"keepalives_count", "keepalives_idle", "keepalives_interval", "krbsrvname", "load_balance_hosts",
	"max_protocol_version", "min_protocol_version", "oauth_ca_file", "oauth_client_id", "oauth_client_secret",
	"oauth_issuer", "oauth_scope", "options", "passfile", "password", "port", "replication", "require_auth",
	"requirepeer", "requiressl", "scram_client_key", "scram_server_key", "service", "servicefile",
	"ssl_max_protocol_version", "ssl_min_protocol_version", "sslcert", "sslcertmode", "sslcompression", "sslcrl",
	"sslcrldir", "sslkey", "sslkeylogfile", "sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "sslsni",
	"target_session_attrs", "tcp_user_timeout", "tty", "user",
}

// secrets must reach neither an error nor another program's arguments.
var secrets = []string{"oauth_client_secret", "password", "scram_client_key", "scram_server_key", "sslpassword"}

// ours are parameters that every connection of walferry decides itself.
var ours = []string{"application_name", "client_encoding", "fallback_application_name", "replication"}

// unsupported are parameters that neither pgx nor this package honours.
var unsupported = []string{
	"authtype", "gssdelegation", "gssencmode", "gsslib", "load_balance_hosts", "oauth_ca_file", "oauth_client_id",
	"oauth_client_secret", "oauth_issuer", "oauth_scope", "requirepeer", "requiressl", "scram_client_key",
	"scram_server_key", "sslcompression", "sslcrl", "sslcrldir", "sslkeylogfile", "tcp_user_timeout", "tty",
}

// param is one key with its value, decoded.
type param struct {
	key, value string
}

type params []param

// lookup returns the value of key; the last one given counts.
func (p params) lookup(key string) (string, bool) {
	for _, v := range slices.Backward(p) {
		if v.key == key {
			return v.value, true
		}
	}
	return "", false
}

// without returns the parameters whose keys are not among those given.
func (p params) without(drop ...string) params {
	return slices.DeleteFunc(slices.Clone(p), func(o param) bool { return slices.Contains(drop, o.key) })
}

// with returns the parameters with key set to value.
func (p params) with(key, value string) params {
	return append(p.without(key), param{key, value})
}
