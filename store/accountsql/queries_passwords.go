package accountsql

// People of the password source. A link that is not there is NULL.
const (
	insertPerson = `INSERT INTO people (realm, name, created_at, password, set_at, link_expires_at) VALUES (?, ?, ?, ?, 0, 0)
		ON CONFLICT (realm, name) DO NOTHING`
	personColumns = `name, created_at, password, set_at, link_expires_at`
	findPerson    = `SELECT ` + personColumns + ` FROM people WHERE realm = ? AND name = ?`
	findPeople    = `SELECT ` + personColumns + ` FROM people WHERE realm = ? ORDER BY name`

	issueLink  = `UPDATE people SET link = ?, link_expires_at = ? WHERE realm = ? AND name = ?`
	findLink   = `SELECT name FROM people WHERE realm = ? AND link = ? AND link_expires_at > ?`
	redeemLink = `UPDATE people SET password = ?, set_at = ?, link = NULL, link_expires_at = 0
		WHERE realm = ? AND name = ? AND link = ? AND link_expires_at > ?`
	setPassword = `UPDATE people SET password = ?, set_at = ?,
		link = CASE WHEN set_at = ? THEN link END, link_expires_at = CASE WHEN set_at = ? THEN link_expires_at ELSE 0 END
		WHERE realm = ? AND name = ? AND password = ?`
)
