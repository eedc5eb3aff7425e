package config

// For the tests that compare them with edge/route, which this package must not import.
var (
	ValidRouteHost = validRouteHost
	ValidRoutePath = validRoutePath
	KnownMethods   = knownMethods
	TakenHeaders   = takenHeaders
)
