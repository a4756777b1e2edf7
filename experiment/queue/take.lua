-- Reads a job that has ended and forgets it, in one step.
-- KEYS: job
-- Returns the fields of its hash; an empty list if it has not ended, or there is none.
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'done' and state ~= 'failed' then return {} end
local found = redis.call('HGETALL', KEYS[1])
redis.call('DEL', KEYS[1])
return found
