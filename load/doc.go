// Package load sends requests as many clients would, and measures what they
// would have seen.
//
// In the open model requests are due at times that do not depend on the
// answers, as people's are; a request's response time runs from when it was
// due, so waiting for a target that stands still counts. In the closed model
// each client sends its next request when it has the answer to the last.
//
// What the generator itself adds (its lag) is kept apart from what the
// target takes, and a run that it spoils is void.
package load
