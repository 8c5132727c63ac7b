package api

import (
	"net/http"

	"github.com/greenlight-dev/greenlight/store"
)

// anyone is the role of what needs no token, wherever it is asked from.
const anyone store.Role = ""

// service is the path of one service.
const service = "/api/v1/environments/{env}/services/{service}"

// operation is one thing that can be asked for, and who may.
type operation struct {
	id      string
	method  string
	path    string
	role    store.Role
	summary string
	more    string // sentences after the summary; may be ""
}

// operations is everything that the API does. What stands in openapi.yaml, is
// served and is guarded comes from here.
var operations = []operation{
	{"health", http.MethodGet, "/healthz", anyone, "Whether the control plane answers", ""},
	{"metrics", http.MethodGet, "/metrics", store.RoleViewer, "Metrics of the control plane, for Prometheus", ""},
	{"status", http.MethodGet, "/api/v1/status", store.RoleViewer, "Everything at this moment", ""},
	{"stream", http.MethodGet, "/api/v1/stream", store.RoleViewer, "What is new, as it happens", ""},
	{"events", http.MethodGet, "/api/v1/events", store.RoleViewer, "What happened: who did what, why, on what evidence", ""},
	{"apply", http.MethodPut, "/api/v1/environments/{env}", store.RoleOperator, "Make a description the one in force", "Answers when the way there has begun; the stream and the events tell how it goes."},
	{"plan", http.MethodGet, "/api/v1/environments/{env}/plan", store.RoleViewer, "What differs from the description in force", "Changes nothing."},
	{"preview", http.MethodPost, "/api/v1/environments/{env}/plan", store.RoleOperator, "What applying a description would change", "Changes nothing, but looks at the files that the description names: not for viewers."},
	{"service", http.MethodGet, service, store.RoleViewer, "One service in detail", "With its description, releases and models."},
	{"series", http.MethodGet, service + "/series", store.RoleViewer, "A service's requests over time", ""},
	{"traffic", http.MethodGet, service + "/traffic", store.RoleViewer, "What a service was asked, by hour or day", "Oldest first, kept for 25 months. Periods in which nobody counted are left out: their requests are not known. While greenlight load tests the service, nothing is counted."},
	{"logs", http.MethodGet, service + "/logs", store.RoleViewer, "What a service's replicas wrote", "A followed stream also has the lines of replicas that start later."},
	{"scale", http.MethodPut, service + "/scale", store.RoleOperator, "Set the number of replicas", "Null goes back to the description."},
	{"restart", http.MethodPost, service + "/restart", store.RoleOperator, "Replace replicas, one after the other", "No request is lost on the way. Answers when it has begun."},
	{"try", http.MethodPost, service + "/try", store.RoleOperator, "Send a request to a service through the gateway", "Its answer is given whatever its status is."},
	{"keep-load", http.MethodPost, service + "/loads", store.RoleOperator, "Keep the result of a load test", "The body is what greenlight load --output writes; the newest 200 of a service are kept."},
	{"loads", http.MethodGet, service + "/loads", store.RoleViewer, "The load tests of a service that are kept, newest first", ""},
	{"load", http.MethodGet, service + "/loads/{id}", store.RoleViewer, "One load test with its whole result", ""},
	{"live-loads", http.MethodGet, service + "/loads/live", store.RoleViewer, "The load tests of a service that run", "Those that ended a moment ago, too."},
	{"report-load", http.MethodPost, service + "/loads/live/{id}", store.RoleOperator, "Tell how a load test goes", "About once a second, by the one who runs it; the answer says whether it has to stop. It is forgotten 10 s after its last report. While it runs, the traffic of the service is not counted."},
	{"stop-load", http.MethodPost, service + "/loads/live/{id}/stop", store.RoleOperator, "Ask a load test to stop", "The one who runs it hears so with the answer to its next report."},
	{"keep-capacity", http.MethodPost, service + "/capacity", store.RoleOperator, "Keep a capacity plan", "The body is plan.json of greenlight capacity plan; the newest 50 of a service are kept."},
	{"capacities", http.MethodGet, service + "/capacity", store.RoleViewer, "The capacity plans of a service that are kept, newest first", ""},
	{"capacity", http.MethodGet, service + "/capacity/{id}", store.RoleViewer, "One capacity plan with everything in it", ""},
	{"grade-capacity", http.MethodPost, service + "/capacity/{id}/grade", store.RoleOperator, "Attach to a capacity plan what it came to", "How far it was off when it was held against something measured later, as greenlight capacity check finds it."},
	{"what-if", http.MethodPost, service + "/capacity/{id}/what-if", store.RoleViewer, "A capacity plan made anew with changes", "Changes nothing and measures nothing."},
	{"backup", http.MethodPost, "/api/v1/backup", store.RoleAdmin, "A copy of everything the control plane keeps", "It is taken while everything goes on."},
	{"restore", http.MethodPost, "/api/v1/restore", store.RoleAdmin, "Start anew with a backup", "The file is checked before anything is given up for it."},
	{"down", http.MethodPost, "/api/v1/down", store.RoleAdmin, "Stop everything", "Replicas stop first, then the gateway, then the control plane. Answers when it has begun."},
	{"list-tokens", http.MethodGet, "/api/v1/tokens", store.RoleAdmin, "The tokens, without their secrets", ""},
	{"create-token", http.MethodPost, "/api/v1/tokens", store.RoleAdmin, "Make a token", "The answer is the only one with the secret."},
	{"revoke-token", http.MethodDelete, "/api/v1/tokens/{id}", store.RoleAdmin, "Make a token worthless", ""},
}

// find gives an operation by its id, which is one of the list's.
func find(id string) operation {
	for _, o := range operations {
		if o.id == id {
			return o
		}
	}
	panic("api: no operation " + id)
}

func (o operation) pattern() string { return o.method + " " + o.path }
