-- What wrk asks for, if that is more than one URL: with a number behind `--`, so many files in turn, /0.bin, /1.bin, …; with
-- paths, these in turn. And what it found, as one line of JSON.

function init(args)
  if args[1] == nil then return end
  local requests = {}
  local count = tonumber(args[1])
  if count == nil then
    count = #args
    for i = 1, count do requests[i] = wrk.format("GET", args[i]) end
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
