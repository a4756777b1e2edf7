-- Removes a dead letter, and its photo unless another job needs that.
-- KEYS: dead, photo
-- ARGV: letter, has_photo ("1")
-- Returns 1, or 0 if somebody removed it before.
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
if ARGV[2] == '1' and redis.call('HINCRBY', KEYS[2], 'refs', -1) <= 0 then redis.call('UNLINK', KEYS[2]) end
return 1
