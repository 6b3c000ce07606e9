-- KEYS: the log, the session.
return redis.call('GET', KEYS[2])
