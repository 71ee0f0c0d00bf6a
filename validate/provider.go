package validate

import (
	"slices"
	"strings"
)

// provider is a managed service, with what is different there. An empty text means
// that it is as elsewhere.
type provider struct {
	name string
	// By any of these the service is recognised: a setting or a role of its servers,
	// the end of their host names.
	settings, roles, hosts []string
	// walLevel says how wal_level becomes logical, replication how a role may
	// replicate; @ stands for the role's quoted name.
	walLevel, replication string
	// impossible says that the service has no logical replication.
	impossible bool
}

// providers are in the order in which they are looked for: a service that is built
// on another one comes before it.
var providers = []provider{
	{
		name:        "Amazon RDS or Aurora",
		settings:    []string{"rds.logical_replication", "rds.extensions"},
		roles:       []string{"rds_superuser"},
		hosts:       []string{".rds.amazonaws.com", ".rds.amazonaws.com.cn"},
		walLevel:    "In the console, set rds.logical_replication to 1 in the parameter group of the instance (Aurora: of the cluster), and reboot the instance (Aurora: the writer).",
		replication: "On the source, run as the master user: GRANT rds_replication TO @;",
	},
	{
		name:        "Google AlloyDB",
		settings:    []string{"alloydb.logical_decoding"},
		roles:       []string{"alloydbsuperuser"},
		walLevel:    "Set the flag alloydb.logical_decoding to on (gcloud alloydb instances update … --database-flags=alloydb.logical_decoding=on); the instance restarts.",
		replication: "On the source, run as postgres: ALTER USER @ WITH REPLICATION;",
	},
	{
		name:        "Google Cloud SQL",
		settings:    []string{"cloudsql.logical_decoding"},
		roles:       []string{"cloudsqlsuperuser"},
		walLevel:    "Set the flag cloudsql.logical_decoding to on (gcloud sql instances patch … --database-flags=cloudsql.logical_decoding=on, which must repeat all other flags); the instance restarts.",
		replication: "On the source, run as postgres or another member of cloudsqlsuperuser: ALTER USER @ WITH REPLICATION;",
	},
	{
		name:        "Azure Database for PostgreSQL",
		settings:    []string{"azure.extensions"},
		roles:       []string{"azure_pg_admin"},
		hosts:       []string{".postgres.database.azure.com"},
		walLevel:    "Set the server parameter wal_level to logical and max_worker_processes to 16 or more (az postgres flexible-server parameter set --name wal_level --value logical …), and restart the server.",
		replication: "On the source, run as the server's administrator: ALTER ROLE @ WITH REPLICATION;",
	},
	{
		name:        "DigitalOcean",
		roles:       []string{"doadmin"},
		hosts:       []string{".db.ondigitalocean.com"},
		walLevel:    "wal_level is logical on DigitalOcean's clusters as a rule; ask DigitalOcean's support why it is not here.",
		replication: "Connect as doadmin, or allow the user replication through DigitalOcean's API (settings.pg_allow_replication of the user).",
	},
	{
		name:        "Akamai (Linode)",
		roles:       []string{"akmadmin", "linpostgres"},
		hosts:       []string{".db.linodeusercontent.com", ".db.linodeobjects.com"},
		walLevel:    "wal_level is logical on Akamai's clusters as a rule; ask Akamai's support why it is not here.",
		replication: "Connect as akmadmin.",
	},
	{
		name:        "Aiven",
		roles:       []string{"avnadmin", "_aiven"},
		hosts:       []string{".aivencloud.com"},
		walLevel:    "wal_level is logical on Aiven as a rule; ask Aiven's support why it is not here.",
		replication: "On the source, run as avnadmin: ALTER ROLE @ REPLICATION;",
	},
	{
		name:       "Heroku",
		roles:      []string{"heroku_admin", "heroku-postgres-backups"},
		hosts:      []string{".herokuapp.com"},
		walLevel:   "Heroku offers neither logical decoding nor the REPLICATION attribute: migrate with --method dump.",
		impossible: true, replication: "Heroku offers neither logical decoding nor the REPLICATION attribute: migrate with --method dump.",
	},
	{
		name:        "Supabase",
		roles:       []string{"supabase_admin"},
		hosts:       []string{".supabase.co", ".supabase.com"},
		walLevel:    "wal_level is logical on Supabase as a rule; set it with: supabase postgres-config update --config wal_level=logical",
		replication: "Connect as postgres, which has the REPLICATION attribute on Supabase.",
	},
	{
		name:        "Neon",
		settings:    []string{"neon.tenant_id"},
		roles:       []string{"neon_superuser"},
		hosts:       []string{".neon.tech"},
		walLevel:    "In Neon's console, enable logical replication in the project's settings; it cannot be disabled again.",
		replication: "Use a role that was created in Neon's console, command line or API: those are members of neon_superuser and may replicate.",
	},
	{
		name:        "Crunchy Bridge",
		roles:       []string{"crunchy_superuser"},
		hosts:       []string{".postgresbridge.com"},
		walLevel:    "On the source, run as postgres: ALTER SYSTEM SET wal_level = logical; then restart the cluster in Crunchy Bridge's console.",
		replication: "On the source, run as postgres: ALTER ROLE @ REPLICATION;",
	},
	{
		name:        "Yandex Managed Service for PostgreSQL",
		roles:       []string{"mdb_admin", "mdb_replication"},
		hosts:       []string{".mdb.yandexcloud.net"},
		walLevel:    "Set wal_level to logical in the cluster's settings.",
		replication: "In the console, give the user the role mdb_replication.",
	},
	{
		name:        "Scaleway",
		settings:    []string{"rdb.enable_logical_replication"},
		hosts:       []string{".scw.cloud"},
		walLevel:    "Set rdb.enable_logical_replication to on in the instance's advanced settings.",
		replication: "Use an administrator of the instance.",
	},
	{
		name:        "Render",
		hosts:       []string{".render.com"},
		walLevel:    "Ask Render's support to enable logical replication; it needs a paid plan with 10 GB or more.",
		replication: "Ask Render's support for a user that may replicate.",
	},
	{
		name:        "Fly",
		hosts:       []string{".fly.dev", ".flycast"},
		walLevel:    "Set it with: fly postgres config update --wal-level logical --app APP",
		replication: "On the source, run as postgres: ALTER ROLE @ REPLICATION;",
	},
	{
		name:        "IBM Cloud Databases",
		hosts:       []string{".databases.appdomain.cloud"},
		walLevel:    "Set it with: ibmcloud cdb deployment-configuration DEPLOYMENT '{\"configuration\":{\"wal_level\":\"logical\"}}'; the deployment restarts.",
		replication: "Set the password of the user repl in the console, and use that user.",
	},
	{
		name:        "PlanetScale",
		roles:       []string{"pscale_superuser"},
		hosts:       []string{".psdb.cloud"},
		walLevel:    "Set wal_level to logical among the cluster's parameters.",
		replication: "Create a role with the REPLICATION attribute in PlanetScale's console.",
	},
}

// elsewhere is a server that nobody manages, or a service that is not known.
var elsewhere = provider{
	walLevel:    "On the source, run as a superuser: ALTER SYSTEM SET wal_level = logical; then restart the server. With a managed service, change it in its settings.",
	replication: "On the source, run as a superuser, or as your service's administrator: ALTER ROLE @ REPLICATION;",
}

// marks are the settings and roles by which providers are recognised.
func marks() (settings, roles []string) {
	for i := range providers {
		settings = append(settings, providers[i].settings...)
		roles = append(roles, providers[i].roles...)
	}
	return settings, roles
}

// recognise finds the service that a server belongs to.
func recognise(host string, settings map[string]string, roles []string) *provider {
	host = strings.ToLower(host)
	for i := range providers {
		p := &providers[i]
		known := slices.ContainsFunc(p.hosts, func(end string) bool { return strings.HasSuffix(host, end) }) ||
			slices.ContainsFunc(p.roles, func(role string) bool { return slices.Contains(roles, role) })
		for _, name := range p.settings {
			_, has := settings[name]
			known = known || has
		}
		if known {
			return p
		}
	}
	return &elsewhere
}
