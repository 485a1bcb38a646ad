module github.com/webhookauth/webhookauth

go 1.25.0

require (
	github.com/go-chi/chi/v5 v5.2.2
	github.com/gorilla/mux v1.8.1
	github.com/stretchr/testify v1.12.1
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
