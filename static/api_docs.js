// The gateway's API documentation: Swagger UI with the gateway's own document.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
follow();
dark.addEventListener("change", follow);

SwaggerUIBundle({
  dom_id: "#docs",
  url: "openapi.json",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // it would ask another host
  withCredentials: false,
});
