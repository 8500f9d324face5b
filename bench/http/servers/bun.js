// Bun.serve: bun servers/bun.js FOLDER

const root = process.argv[2];

const { port } = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request) => new Response(Bun.file(root + new URL(request.url).pathname)),
});
console.log(JSON.stringify({ port }));
