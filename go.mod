module github.com/webhookauth/webhookauth

go 1.25.0
