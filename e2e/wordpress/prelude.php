<?php
// Read before wp-config.php: the answers that an operator would give there.
$_SERVER['HTTP_HOST'] ??= 'localhost';
$scheme = ($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https' ? 'https' : 'http';
define('WP_HOME', $scheme . '://' . $_SERVER['HTTP_HOST']);
define('WP_SITEURL', WP_HOME);
// Cookies are named alike on every address, so that one stolen at the console itself can be tried at the gateway.
define('COOKIEHASH', '5eabf9a4f28e1c0b9d7e3a6c2f1b8d40');
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:SCRATCH/db.sock');
define('DB_CHARSET', 'utf8mb4');
// Application passwords want https, or a machine that is not in production.
define('WP_ENVIRONMENT_TYPE', 'local');
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $purpose) {
	define($purpose . '_KEY', hash('sha256', 'SCRATCH key ' . $purpose));
	define($purpose . '_SALT', hash('sha256', 'SCRATCH salt ' . $purpose));
}
