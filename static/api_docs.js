// The gateway's API documentation: Swagger UI with the gateway's own document.
"use strict";

SwaggerUIBundle({
  dom_id: "#docs",
  url: "openapi.json",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // it would ask another host
  withCredentials: false,
});
