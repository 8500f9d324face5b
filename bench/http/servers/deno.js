// Deno.serve: deno run --allow-net --allow-read servers/deno.js FOLDER

const root = Deno.args[0];

Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(JSON.stringify({ port })) },
  async (request) => {
    const file = await Deno.open(root + new URL(request.url).pathname);
    const { size } = await file.stat();
    return new Response(file.readable, { headers: { "Content-Length": String(size) } });
  },
);
