-- Behind `--`: how many ms a connection waits before each request; and what wrk asks for, if that is more than one URL: by a
-- number so many files in turn, /0.bin, /1.bin, …; by paths, these in turn. And what it found, as one line of JSON.

function init(args)
  local wait = tonumber(args[1])
  if wait > 0 then
    function delay() return wait end
  end
  if args[2] == nil then return end
  local requests = {}
  local count = tonumber(args[2])
  if count == nil then
    count = #args - 1
    for i = 1, count do requests[i] = wrk.format("GET", args[i + 1]) end
  else
    for i = 1, count do requests[i] = wrk.format("GET", string.format("/%d.bin", i - 1)) end
  end
  local next = 0
  function request()
    next = next % count + 1
    return requests[next]
  end
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"bytes":%.0f,"seconds":%f,"errors":%d,"p50":%f,"p99":%f}\n',
    summary.requests, summary.bytes, summary.duration / 1e6,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000
  ))
end
