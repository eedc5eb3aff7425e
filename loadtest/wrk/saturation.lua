-- As much as goes through: each request with the next token of a file.
--
--   TOKENS=FILE wrk -t 1 -c 64 -d 10s -s saturation.lua http://127.0.0.1:8080/api/
--
-- Ends with one line of JSON, and with status 1 when any answer was an error. wrk waits for each answer before it sends the next
-- request on a connection: its latencies are those of a closed loop, and no figure of a service under an offered load.

local threads = {}

function setup(thread)
  thread:set("path", os.getenv("TOKENS") or "")
  threads[#threads + 1] = thread
end

function init(args)
  if path == "" then
    error("TOKENS is not set: a file of tokens, one a line, as `sallyport token mint -count 1000 -out FILE` writes it")
  end
  requests, at = {}, 0
  for token in io.lines(path) do
    requests[#requests + 1] = wrk.format("GET", nil, { ["Authorization"] = "Bearer " .. token })
  end
  count = #requests
end

function request()
  at = at % count + 1
  return requests[at]
end

function done(summary, latency, results)
  local e = summary.errors
  print(string.format(
    '{"requests":%d,"seconds":%.3f,"tokens":%d,"not_2xx":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,"p50_ms":%.3f,"p99_ms":%.3f}',
    summary.requests, summary.duration / 1e6, threads[1]:get("count"), e.status, e.connect, e.read, e.write, e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
  if e.status + e.connect + e.read + e.write + e.timeout > 0 then
    os.exit(1)
  end
end
