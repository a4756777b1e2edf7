"""From HTTP to jobs and back: options, ids in paths, jobs as JSON and as events, the OpenAPI document."""
