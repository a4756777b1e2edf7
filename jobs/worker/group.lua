-- Lets a group that no worker has read from yet begin with the stream's first entry. The published clients of
-- Cluster Serving create groups that begin after the last one: what had been sent by then would wait for ever.
-- KEYS: stream
-- ARGV: group
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local facts = {}
  for i = 1, #group, 2 do facts[group[i]] = group[i + 1] end
  if facts.name == ARGV[1] and facts.consumers == 0 then
    redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], '0')
  end
end
return 1
